//! The options of periodic work: read, judged and written out.
//!
//! Invariant: an option that was meant but could not be read is no second mistake: rules between options count it as given.

use proc_macro2::TokenStream;
use pushe_tasks_syntax::cron::Cron;
use pushe_tasks_syntax::{OptionError, rules, zone};
use quote::{quote, quote_spanned};
use syn::{Ident, LitStr};

use crate::check::not_zero;
use crate::diag::Diagnostics;
use crate::expand::duration;
use crate::messages;
use crate::options::Entry;
use crate::value::{Number, Time, Word, read};

/// When a task runs again and again, as far as it could be read.
#[derive(Default)]
pub(crate) struct Period {
    every: Option<Time>,
    cron: Option<LitStr>,
    tz: Option<LitStr>,
    flex: Option<Time>,
    missed: Option<Word>,
    min_gap: Option<Time>,
    stop_after: Option<Number<u32>>,
    start: Option<Word>,
    /// The keys that were meant, readable or not, in their order.
    keys: Vec<Ident>,
}

impl Period {
    /// Takes one of its options.
    pub(crate) fn read(&mut self, entry: Entry, diag: &mut Diagnostics) {
        match entry.spec.name {
            "every" => self.every = read::time(&entry, diag),
            "flex" => self.flex = read::time(&entry, diag),
            "cron" => self.cron = read::text(&entry, diag).filter(|text| reads_as_cron(text, diag)),
            "tz" => self.tz = read::text(&entry, diag),
            "missed" => {
                let known = ["Once", "Skip", "All"];
                self.missed = read::word(&entry, "answer to missed slots", &known, diag);
            }
            "min_gap" => self.min_gap = read::time(&entry, diag),
            "start" => self.start = read::word(&entry, "start", &["Automatic"], diag),
            _ => self.stop_after = read::whole(&entry, diag),
        }
        self.keys.push(entry.key);
    }

    /// Whether the task is periodic.
    pub(crate) fn is_meant(&self) -> bool {
        self.key("every").is_some() || self.key("cron").is_some()
    }

    /// Judges the options alone and against each other.
    pub(crate) fn check(&self, diag: &mut Diagnostics) {
        if let Some(every) = &self.every {
            diag.judge(every, rules::every(every.value));
        }
        if let Some(tz) = &self.tz {
            let known = zone::check(&tz.value());
            diag.judge(tz, known.map_err(|error| OptionError::WrongZone { error }));
        }
        let (every, cron) = (self.key("every"), self.key("cron"));
        // The second of the two is the one too many.
        if let Some(second) = self.keys.iter().rfind(|key| *key == "every" || *key == "cron") {
            diag.judge(second, rules::rhythm(every.is_some(), cron.is_some()));
        }
        if let Some(key) = self.key("tz") {
            diag.judge(key, rules::tz(cron.is_some()));
        }
        self.check_flex(diag);
        for option in ["missed", "min_gap", "stop_after", "start"] {
            if let Some(key) = self.key(option) {
                diag.judge(key, rules::needs_period(option, self.is_meant()));
            }
        }
        not_zero("min_gap", self.min_gap.as_ref(), diag);
        if let Some(periods) = &self.stop_after {
            diag.judge(periods, rules::stop_after(periods.value.into()));
        }
    }

    fn check_flex(&self, diag: &mut Diagnostics) {
        let Some(key) = self.key("flex") else { return };
        if self.key("every").is_none() {
            diag.judge(key, Err(OptionError::FlexWithoutEvery));
        } else if let (Some(flex), Some(every)) = (&self.flex, &self.every)
            && !not_zero("flex", Some(flex), diag)
        {
            diag.judge(flex, rules::flex(flex.value, Some(every.value)));
        }
    }

    fn key(&self, name: &str) -> Option<&Ident> {
        self.keys.iter().find(|key| *key == name)
    }

    /// The call that gives them to the task's options.
    pub(crate) fn expand(&self, private: &TokenStream) -> Option<TokenStream> {
        let time = |time: &Time| duration(time.value, private);
        let mut chain = if let Some(every) = &self.every {
            let every = time(every);
            quote!(#private::PeriodOptions::every(#every))
        } else {
            let cron = self.cron.as_ref()?;
            quote!(#private::PeriodOptions::cron(#cron))
        };
        let mut add = |tokens: Option<TokenStream>| chain.extend(tokens);
        add(self.tz.as_ref().map(|tz| quote!(.tz(#tz))));
        add(self.flex.as_ref().map(time).map(|flex| quote!(.flex(#flex))));
        add(self.missed.as_ref().map(|word| quote!(.missed(#private::Missed::#word))));
        add(self.min_gap.as_ref().map(time).map(|gap| quote!(.min_gap(#gap))));
        add(self.stop_after.as_ref().map(|periods| quote!(.stop_after(#periods))));
        // The word's place is where an input without a default is told of.
        let automatic = self.start.as_ref().map(|word| quote_spanned!(word.token.span()=> .automatic()));
        Some(quote!(.period(#chain) #automatic))
    }
}

/// Whether this is a cron text; says at which place it is none.
fn reads_as_cron(literal: &LitStr, diag: &mut Diagnostics) -> bool {
    let text = literal.value();
    let Err(wrong) = Cron::parse(&text) else { return true };
    diag.on(literal, messages::wrong_text("cron", &wrong, wrong.caret(&text)));
    false
}

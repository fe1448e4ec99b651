//! What the application has told, kept outside of it: what is acknowledged, what has run, and what must therefore be there.
//!
//! Invariant: the ledger believes the application's own words and nothing that the store says of itself.

mod compare;

use std::collections::BTreeMap;

use pushe_tasks::WorkState;

use crate::application::job::Job;
use crate::application::line::{End, Line};
use crate::figures::{Figures, Wrong};

pub(crate) use compare::Shares;

/// What is known of one piece.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and most can go together")]
struct Piece {
    acknowledged: bool,
    /// It is said not to be stored.
    absent: bool,
    /// Another piece was kept in its stead.
    kept_other: bool,
    cancelled: bool,
    starts: u64,
    /// Attempts that ended in retry.
    retries: u32,
    /// The largest attempt number that a body was given.
    attempt: u32,
    successes: u64,
    /// Its body lives, in the application that runs now.
    living: bool,
    /// Its body began in the application that runs now.
    started: bool,
    /// Its body succeeded or failed for good, in the application that runs now.
    ended: bool,
    /// The state that its caller was told.
    told: Option<String>,
    /// The state that it was found in, once it had finished.
    finished: Option<WorkState>,
}

/// All that is known of one store.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    seed: u64,
    pieces: BTreeMap<u64, Piece>,
    /// The pieces that began, in the order in which they did, in the application that runs now.
    began: Vec<u64>,
    living: u64,
    acknowledged: u64,
    refused: u64,
    troubled: bool,
}

impl Ledger {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// The seed that the pieces follow from.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The number that no piece has yet.
    pub(crate) fn next(&self) -> u64 {
        self.pieces.last_key_value().map_or(1, |(number, _)| number + 1)
    }

    /// Calls acknowledged in the application that runs now.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Calls refused or left in doubt in the application that runs now.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether the application that runs now was told of trouble with its store.
    pub(crate) fn troubled(&self) -> bool {
        self.troubled
    }

    /// Bodies that live now.
    pub(crate) fn living(&self) -> u64 {
        self.living
    }

    /// Another application begins.
    pub(crate) fn begin(&mut self) {
        self.began.clear();
        (self.living, self.acknowledged, self.refused, self.troubled) = (0, 0, 0, false);
        for piece in self.pieces.values_mut() {
            (piece.living, piece.started, piece.ended) = (false, false, false);
        }
    }

    fn piece(&mut self, number: u64, figures: &mut Figures) -> &mut Piece {
        self.pieces.entry(number).or_insert_with(|| {
            figures.wrong(Wrong::Unexpected, format_args!("piece {number} was never scheduled"));
            Piece::default()
        })
    }

    /// Notes one line.
    pub(crate) fn note(&mut self, line: &Line, figures: &mut Figures) {
        match line {
            Line::Invoke(number) => drop(self.pieces.insert(*number, Piece::default())),
            Line::Ok(number, stands) => {
                self.acknowledged += 1;
                figures.acknowledged += 1;
                let piece = self.piece(*number, figures);
                piece.kept_other = number != stands;
                self.piece(*stands, figures).acknowledged = true;
            }
            Line::Absent(number) => {
                self.refused += 1;
                self.piece(*number, figures).absent = true;
            }
            Line::Doubt(_) => self.refused += 1,
            Line::Store(text) => self.troubled |= text != "healthy",
            Line::Cancelled(number) => self.piece(*number, figures).cancelled = true,
            Line::Start(number, attempt, hash) => self.start(*number, *attempt, *hash, figures),
            Line::End(number, end) => self.end(*number, *end, figures),
            Line::Done(number, state) => self.piece(*number, figures).told = Some(state.clone()),
            Line::Panic(text) => figures.wrong(Wrong::Panic, text),
            Line::Ready | Line::Drained => {}
        }
    }

    fn start(&mut self, number: u64, attempt: u32, hash: u64, figures: &mut Figures) {
        if Job::of(self.seed, number).hash() != hash {
            figures.wrong(
                Wrong::Unexpected,
                format_args!("piece {number} was given another input than its own"),
            );
        }
        self.began.push(number);
        self.living += 1;
        let piece = self.piece(number, figures).clone();
        if piece.living {
            figures.wrong(Wrong::Unexpected, format_args!("piece {number} has two bodies at once"));
        }
        if piece.ended {
            figures.wrong(
                Wrong::Duplicated,
                format_args!("piece {number} runs again in the process that ended it"),
            );
        }
        if let Some(state) = piece.finished {
            figures.wrong(
                Wrong::Duplicated,
                format_args!("piece {number} runs again after it was found {state}"),
            );
        }
        if attempt < piece.attempt || attempt > piece.retries + 1 {
            let told = piece.retries;
            figures.wrong(
                Wrong::Unexpected,
                format_args!("piece {number} begins attempt {attempt} after {told} ended in retry"),
            );
        }
        let piece = self.piece(number, figures);
        piece.attempt = attempt;
        piece.starts += 1;
        (piece.living, piece.started) = (true, true);
    }

    fn end(&mut self, number: u64, end: End, figures: &mut Figures) {
        self.living = self.living.saturating_sub(1);
        let piece = self.piece(number, figures);
        piece.living = false;
        match end {
            End::Succeeded => piece.successes += 1,
            End::Retry => piece.retries += 1,
            End::Failed | End::Dropped => {}
        }
        piece.ended |= matches!(end, End::Succeeded | End::Failed);
    }
}

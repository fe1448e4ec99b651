//! What a side says when it is done: one line of JSON.

use std::fmt::Write as _;
use std::io::{self, Write as _};

/// What one measurement has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The durability in force, as it was read back.
    pub durability: String,
    /// Figures by name, such as `per_second` or `p50_us`.
    pub figures: Vec<(String, f64)>,
    /// Pieces that were acknowledged and did not run, or are not there.
    pub lost: u64,
    /// Pieces that ran more than once.
    pub twice: u64,
    /// What was verified, in words.
    pub verified: String,
}

impl Answer {
    /// An answer with this durability.
    pub fn new(durability: impl Into<String>) -> Self {
        Self { durability: durability.into(), ..Self::default() }
    }

    /// Adds a figure.
    pub fn figure(&mut self, name: &str, value: f64) {
        self.figures.push((name.to_owned(), value));
    }

    /// Says what was verified and what was found.
    pub fn verify(&mut self, lost: u64, twice: u64, verified: impl Into<String>) {
        self.lost += lost;
        self.twice += twice;
        self.verified = verified.into();
    }

    /// The line.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{\"durability\":");
        text(&mut out, &self.durability);
        out.push_str(",\"figures\":{");
        for (number, (name, value)) in self.figures.iter().enumerate() {
            if number > 0 {
                out.push(',');
            }
            text(&mut out, name);
            // JSON knows no infinity.
            let value = if value.is_finite() { *value } else { 0.0 };
            let _ = write!(out, ":{value}");
        }
        let _ = write!(out, "}},\"lost\":{},\"twice\":{},\"verified\":", self.lost, self.twice);
        text(&mut out, &self.verified);
        out.push('}');
        out
    }

    /// Says it to whoever began this program.
    pub fn say(&self) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{}", self.to_json())
    }
}

fn text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_line_of_json() {
        let mut answer = Answer::new("a \"quoted\"\nline");
        answer.figure("per_second", 1.5);
        answer.figure("none", f64::INFINITY);
        answer.verify(1, 0, "all ran");
        assert_eq!(
            answer.to_json(),
            "{\"durability\":\"a \\\"quoted\\\"\\u000aline\",\"figures\":{\"per_second\":1.5,\"none\":0},\"lost\":1,\
             \"twice\":0,\"verified\":\"all ran\"}"
        );
    }
}

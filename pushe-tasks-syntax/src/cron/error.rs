//! What can be wrong with a cron text.

use std::error::Error;
use std::fmt;

crate::error::texts! {
    /// A text that is no cron text.
    CronError {
        /// Nothing at all.
        Empty => "a cron text cannot be empty; write for example `30 4 * * *`",
        /// Too few or too many fields.
        Fields { found: usize } => "a cron text has 5 fields, or 6 with the seconds first, and this one has {found}; write for example `30 4 * * *`",
        /// A sign that other crons know.
        Sign { sign: char } => "`{sign}` is not part of this cron; write numbers, names, `*`, `,`, `-` and `/`",
        /// Something that is not written in a cron text.
        Character { found: char } => "`{found}` has no meaning in a cron text; write numbers, names, `*`, `,`, `-` and `/`",
        /// A list with nothing between two commas, or a range or step with an end missing.
        Missing { field: &'static str } => "a {field} is missing here; write one or take the sign beside it out",
        /// A word that is no name of this field.
        Name { found: String, field: &'static str, example: &'static str } => "`{found}` is no {field}; write for example `{example}`",
        /// A number that this field does not have.
        Range { found: String, field: &'static str, low: u8, high: u8 } => "`{found}` is no {field}; write a number from {low} to {high}",
        /// A range that goes down.
        Backwards { from: String, to: String } => "a range goes up, and `{from}` comes after `{to}`; turn it round or write two ranges",
        /// A step that goes nowhere, or beyond the whole field.
        Step { found: String, most: u8 } => "a step of `{found}` meets nothing but its start; write a step from 1 to {most}",
        /// More than one step.
        SecondStep => "a range has one step; write a list of ranges with a comma between them",
        /// A day that none of the months has.
        Never => "no month of these has such a day, so this would never happen; write another day or month",
    }
}

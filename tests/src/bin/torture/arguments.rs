//! The arguments of the subcommands.

/// The number that follows `name`, if it is given.
pub(crate) fn number(arguments: &[String], name: &str) -> Result<Option<u64>, String> {
    let Some(at) = arguments.iter().position(|argument| argument == name) else { return Ok(None) };
    let value = arguments.get(at + 1).ok_or_else(|| format!("`{name}` needs a number"))?;
    value.parse().map(Some).map_err(|_| format!("`{name}` needs a number, not `{value}`"))
}

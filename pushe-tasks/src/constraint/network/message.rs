//! The framing of rtnetlink: requests as bytes, answers as slices of bytes.
//!
//! Invariant: nothing here trusts a length that it read. Malformed bytes end an iteration; they panic nowhere.

/// Message kinds, `linux/netlink.h` and `linux/rtnetlink.h`.
pub(super) const ERROR: u16 = 2;
pub(super) const DONE: u16 = 3;
pub(super) const NEW_LINK: u16 = 16;
pub(super) const GET_LINK: u16 = 18;
pub(super) const NEW_ROUTE: u16 = 24;
pub(super) const GET_ROUTE: u16 = 26;

const FLAG_REQUEST: u16 = 1;
const FLAG_DUMP: u16 = 0x300;
/// Something changed while the dump was made: its parts may not belong together.
pub(super) const FLAG_DUMP_INTERRUPTED: u16 = 0x10;

pub(super) const ADDRESS_FAMILY_V4: u8 = 2;
pub(super) const ADDRESS_FAMILY_V6: u8 = 10;

const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
/// The two top bits of an attribute's kind are flags.
const ATTRIBUTE_KIND: u16 = 0x3fff;
const LINK_HEADER: usize = 16;
const ROUTE_HEADER: usize = 12;
const LINK_EXT_MASK: u16 = 29;
const SKIP_STATISTICS: u32 = 1 << 3;

/// The request for all links, without their statistics.
pub(super) fn dump_links(sequence: u32) -> Vec<u8> {
    let mut body = vec![0; LINK_HEADER];
    body.extend(u16::to_ne_bytes(8));
    body.extend(LINK_EXT_MASK.to_ne_bytes());
    body.extend(SKIP_STATISTICS.to_ne_bytes());
    request(GET_LINK, sequence, &body)
}

/// The request for all routes of one family, in all tables.
pub(super) fn dump_routes(family: u8, sequence: u32) -> Vec<u8> {
    let mut body = [0; ROUTE_HEADER];
    body[0] = family;
    request(GET_ROUTE, sequence, &body)
}

fn request(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).expect("a request is short");
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((FLAG_REQUEST | FLAG_DUMP).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(u32::to_ne_bytes(0));
    bytes.extend(body);
    bytes
}

/// One message of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

impl Message<'_> {
    /// The error number that an [`ERROR`] or a [`DONE`] carries; zero where all is well.
    pub(super) fn error(&self) -> i32 {
        u32_at(self.body, 0).map_or(0, |code| code.cast_signed().saturating_neg())
    }
}

/// The messages of one datagram; ends at the first that is malformed.
pub(super) struct Messages<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let (bytes, rest) = split(self.0, HEADER, u32_at(self.0, 0)?)?;
        self.0 = rest;
        Some(Message {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            body: bytes.get(HEADER..)?,
        })
    }
}

/// The attributes of one message, each with its kind; ends at the first that is malformed.
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Attributes<'a> {
    /// The attributes of a link's message.
    pub(super) fn of_link(body: &'a [u8]) -> Self {
        Self(body.get(LINK_HEADER..).unwrap_or_default())
    }

    /// The attributes of a route's message.
    pub(super) fn of_route(body: &'a [u8]) -> Self {
        Self(body.get(ROUTE_HEADER..).unwrap_or_default())
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let (bytes, rest) = split(self.0, ATTRIBUTE_HEADER, u16_at(self.0, 0)?.into())?;
        self.0 = rest;
        Some((u16_at(bytes, 2)? & ATTRIBUTE_KIND, bytes.get(ATTRIBUTE_HEADER..)?))
    }
}

/// Splits off the first `length` bytes and their padding to a multiple of four; `None` where they are not all there.
pub(super) fn split(bytes: &[u8], shortest: usize, length: u32) -> Option<(&[u8], &[u8])> {
    let length = usize::try_from(length).ok().filter(|length| *length >= shortest)?;
    let first = bytes.get(..length)?;
    Some((first, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

pub(super) fn u8_at(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}

pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u16::from_ne_bytes(*chunk))
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u32::from_ne_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_framed() {
        let links = dump_links(7);
        let message = Messages(&links).next().expect("one message");
        assert_eq!((message.kind, message.flags, message.sequence), (GET_LINK, 0x301, 7));
        let mask = Attributes::of_link(message.body).next();
        assert_eq!(mask, Some((LINK_EXT_MASK, &SKIP_STATISTICS.to_ne_bytes()[..])));
        let routes = dump_routes(ADDRESS_FAMILY_V6, 8);
        let message = Messages(&routes).next().expect("one message");
        assert_eq!((message.kind, message.sequence, message.body.len()), (GET_ROUTE, 8, ROUTE_HEADER));
        assert_eq!(message.body[0], ADDRESS_FAMILY_V6);
    }

    #[test]
    fn a_length_that_lies_ends_the_iteration() {
        let good = dump_links(1);
        for lie in [0_u32, 1, 15, 41, u32::MAX] {
            let mut bytes = [good.clone(), good.clone()].concat();
            bytes[good.len()..][..4].copy_from_slice(&lie.to_ne_bytes());
            assert_eq!(Messages(&bytes).count(), 1, "a message of length {lie}");
        }
        for lie in [0_u16, 3, 9, u16::MAX] {
            let bytes = [u16::to_ne_bytes(4), [1, 0], lie.to_ne_bytes(), [2, 0], [0; 2], [0; 2]].concat();
            assert_eq!(Attributes(&bytes).count(), 1, "an attribute of length {lie}");
        }
    }

    #[test]
    fn an_unpadded_end_is_read() {
        let bytes = [u16::to_ne_bytes(5), 1_u16.to_ne_bytes(), [9, 0]].concat();
        assert_eq!(Attributes(&bytes[..5]).next(), Some((1, &[9][..])));
    }

    #[test]
    fn an_error_is_a_positive_number() {
        let error = |body: &[u8]| Message { kind: ERROR, flags: 0, sequence: 1, body }.error();
        assert_eq!(error(&i32::to_ne_bytes(-105)), 105);
        assert_eq!(error(&i32::to_ne_bytes(i32::MIN)), i32::MAX);
        assert_eq!(error(&[]), 0);
    }
}

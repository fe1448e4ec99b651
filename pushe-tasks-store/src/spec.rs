//! What a piece of work is asked to do: the row that is written once, with the payload in its envelope.
//!
//! Invariant: format number, codec, task version, fingerprint slot, length and checksum stand with every payload, and
//! nothing of a payload is handed out before its checksum has been verified against its key.

use std::time::Duration;

use crate::id::WorkId;
use crate::period::StoredPeriod;
use crate::wire::{Damage, Reader, Writer};

const FORMAT: u8 = 1;

/// Bytes that a codec wrote, with what is needed to judge whether they can be read.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Which codec wrote the payload.
    pub codec: u8,
    /// The version of the task that wrote it.
    pub version: u32,
    /// A hash of the shape of the input's type; zero where it is not known.
    pub fingerprint: u64,
    /// The encoded input.
    pub payload: Vec<u8>,
}

impl std::fmt::Debug for Envelope {
    /// Payloads may hold secrets: only their length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope")
            .field("codec", &self.codec)
            .field("version", &self.version)
            .field("bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

/// How the delay between attempts grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backoff {
    /// `delay · 2^(n−1)`.
    Exponential,
    /// `delay · n`.
    Linear,
    /// `delay`.
    Fixed,
}

/// What becomes of a running attempt when a constraint of its work is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnLost {
    /// It is stopped after the constraint's grace and given back.
    #[default]
    Stop,
    /// It goes on to its end.
    Finish,
}

/// Options that are stored with the work; the running code's values apply only to work that it schedules.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StoredOptions {
    /// Attempts that may end in retry or success before the work fails; `None` has no end.
    pub max_attempts: Option<u32>,
    /// How the delay grows.
    pub backoff: Backoff,
    /// The delay after the first attempt.
    pub delay: Duration,
    /// The longest delay.
    pub max_delay: Duration,
    /// The largest fraction by which a delay is moved, up or down.
    pub jitter: f64,
    /// How long an attempt may take from its body's first poll.
    pub timeout: Option<Duration>,
    /// How long after it was scheduled the work is not started any more if it was never claimed; of periodic work, how long
    /// after its slot a run is left out that has not begun.
    pub expires: Option<Duration>,
    /// What a lost constraint does to a running attempt.
    pub on_lost: OnLost,
    /// Whether the start of a program scheduled it, and not a call.
    pub automatic: bool,
    /// When periodic work runs; `None` for work that runs once.
    pub period: Option<StoredPeriod>,
    /// Its tags: what it can be found by, beside its ids.
    pub tags: Vec<String>,
}

impl Default for StoredOptions {
    fn default() -> Self {
        Self {
            max_attempts: None,
            backoff: Backoff::Exponential,
            delay: Duration::from_secs(30),
            max_delay: Duration::from_secs(5 * 3600),
            jitter: 0.1,
            timeout: None,
            expires: None,
            on_lost: OnLost::Stop,
            automatic: false,
            period: None,
            tags: Vec::new(),
        }
    }
}

/// What one piece of work is asked to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WorkSpec {
    /// The user's unique id.
    pub task_id: Option<String>,
    /// How it is retried, timed out and expired.
    pub options: StoredOptions,
    /// Its input.
    pub envelope: Envelope,
}

impl WorkSpec {
    /// A spec of its parts.
    pub const fn new(task_id: Option<String>, options: StoredOptions, envelope: Envelope) -> Self {
        Self { task_id, options, envelope }
    }

    /// The stored form under `id`.
    pub fn encode(&self, id: WorkId) -> Vec<u8> {
        Self::encode_parts(self.task_id.as_deref(), &self.options, &self.envelope, id)
    }

    /// The stored form under `id` of a spec that has not been put together.
    pub(crate) fn encode_parts(
        task_id: Option<&str>,
        options: &StoredOptions,
        envelope: &Envelope,
        id: WorkId,
    ) -> Vec<u8> {
        let mut out = Writer::new(FORMAT);
        out.u8(envelope.codec);
        out.varint(u64::from(envelope.version));
        out.fixed(&envelope.fingerprint.to_le_bytes());
        out.bytes(&envelope.payload);
        if let Some(task_id) = task_id {
            out.u8(TAG_TASK_ID);
            out.str(task_id);
        }
        let default = StoredOptions::default();
        let mut number = |tag: u8, value: u64, unless: u64| {
            if value != unless {
                out.u8(tag);
                out.varint(value);
            }
        };
        number(TAG_MAX_ATTEMPTS, u64::from(options.max_attempts.unwrap_or(0)), 0);
        number(TAG_BACKOFF, backoff_code(options.backoff), backoff_code(default.backoff));
        number(TAG_DELAY, millis(options.delay), millis(default.delay));
        number(TAG_MAX_DELAY, millis(options.max_delay), millis(default.max_delay));
        number(TAG_TIMEOUT, options.timeout.map_or(0, millis), 0);
        number(TAG_EXPIRES, options.expires.map_or(0, millis), 0);
        #[expect(clippy::float_cmp, reason = "whether it is the default, to the bit")]
        if options.jitter != default.jitter {
            out.u8(TAG_JITTER);
            out.fixed(&options.jitter.to_le_bytes());
        }
        if options.on_lost == OnLost::Finish {
            out.u8(TAG_FINISHES);
        }
        if options.automatic {
            out.u8(TAG_AUTOMATIC);
        }
        if let Some(period) = &options.period {
            out.u8(TAG_PERIOD);
            period.encode(&mut out);
        }
        for tag in &options.tags {
            out.u8(TAG_TAG);
            out.str(tag);
        }
        out.seal(id.as_bytes())
    }

    /// Reads the stored form back.
    pub fn decode(id: WorkId, bytes: &[u8]) -> Result<Self, Damage> {
        let mut from = Reader::open(id.as_bytes(), bytes, FORMAT..=FORMAT)?;
        let codec = from.u8("codec")?;
        let version = from.small("version")?;
        let fingerprint = u64::from_le_bytes(from.fixed("fingerprint")?);
        let payload = from.bytes("payload")?.to_vec();
        let envelope = Envelope { codec, version, fingerprint, payload };
        let mut spec = Self { task_id: None, options: StoredOptions::default(), envelope };
        while !from.is_at_end() {
            let options = &mut spec.options;
            match from.u8("tag")? {
                TAG_TASK_ID => spec.task_id = Some(from.str("task id")?.to_owned()),
                TAG_MAX_ATTEMPTS => options.max_attempts = Some(from.small("max attempts")?),
                TAG_BACKOFF => options.backoff = backoff_from(from.varint("back-off")?)?,
                TAG_DELAY => options.delay = Duration::from_millis(from.varint("delay")?),
                TAG_MAX_DELAY => options.max_delay = Duration::from_millis(from.varint("max delay")?),
                TAG_TIMEOUT => options.timeout = Some(Duration::from_millis(from.varint("timeout")?)),
                TAG_JITTER => options.jitter = f64::from_le_bytes(from.fixed("jitter")?),
                // A moment, which builds that wrote it never acted on.
                TAG_EXPIRES_AT => drop(from.signed("expires")?),
                TAG_EXPIRES => options.expires = Some(Duration::from_millis(from.varint("expires")?)),
                TAG_AUTOMATIC => options.automatic = true,
                TAG_FINISHES => options.on_lost = OnLost::Finish,
                TAG_TAG => options.tags.push(from.str("tag")?.to_owned()),
                TAG_PERIOD => options.period = Some(StoredPeriod::decode(&mut from)?),
                _ => return Err(Damage::Shape("tag")),
            }
        }
        Ok(spec)
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

const fn backoff_code(backoff: Backoff) -> u64 {
    match backoff {
        Backoff::Exponential => 0,
        Backoff::Linear => 1,
        Backoff::Fixed => 2,
    }
}

const fn backoff_from(code: u64) -> Result<Backoff, Damage> {
    match code {
        0 => Ok(Backoff::Exponential),
        1 => Ok(Backoff::Linear),
        2 => Ok(Backoff::Fixed),
        _ => Err(Damage::Shape("back-off")),
    }
}

const TAG_TASK_ID: u8 = 1;
const TAG_MAX_ATTEMPTS: u8 = 2;
const TAG_BACKOFF: u8 = 3;
const TAG_DELAY: u8 = 4;
const TAG_MAX_DELAY: u8 = 5;
const TAG_TIMEOUT: u8 = 6;
const TAG_JITTER: u8 = 7;
const TAG_EXPIRES_AT: u8 = 8;
const TAG_FINISHES: u8 = 9;
const TAG_PERIOD: u8 = 10;
const TAG_EXPIRES: u8 = 20;
const TAG_AUTOMATIC: u8 = 21;
const TAG_TAG: u8 = 30;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::Rhythm;

    #[test]
    fn a_spec_reads_back_whole() {
        let id = WorkId::from_parts(1, [2; 10]);
        let envelope = Envelope { codec: 1, version: 7, fingerprint: u64::MAX, payload: vec![9; 100] };
        let plain = WorkSpec::new(None, StoredOptions::default(), envelope.clone());
        assert_eq!(WorkSpec::decode(id, &plain.encode(id)), Ok(plain.clone()));
        assert!(plain.encode(id).len() <= 125, "{}", plain.encode(id).len());

        let options = StoredOptions {
            max_attempts: Some(8),
            backoff: Backoff::Linear,
            delay: Duration::from_millis(1),
            max_delay: Duration::from_secs(7),
            jitter: 0.0,
            timeout: Some(Duration::from_secs(600)),
            expires: Some(Duration::from_secs(86_400)),
            on_lost: OnLost::Finish,
            automatic: true,
            period: Some(StoredPeriod::new(Rhythm::Every(Duration::from_secs(3600)))),
            tags: vec!["photos".to_owned(), String::new()],
        };
        let full = WorkSpec::new(Some("upload/ä".to_owned()), options, envelope);
        let bytes = full.encode(id);
        assert_eq!(WorkSpec::decode(id, &bytes), Ok(full));
        assert_eq!(WorkSpec::decode(WorkId::from_parts(1, [3; 10]), &bytes), Err(Damage::Checksum));
    }

    #[test]
    fn a_moment_of_expiry_that_an_earlier_build_wrote_reads_back_as_none() {
        let id = WorkId::from_parts(1, [2; 10]);
        let mut out = Writer::new(1);
        out.u8(1);
        out.varint(7);
        out.fixed(&[0; 8]);
        out.bytes(&[9]);
        out.u8(8);
        out.signed(-5);
        out.u8(TAG_TIMEOUT);
        out.varint(3);
        let options = WorkSpec::decode(id, &out.seal(id.as_bytes())).unwrap().options;
        assert_eq!((options.expires, options.timeout), (None, Some(Duration::from_millis(3))));
    }

    #[test]
    fn a_payload_is_not_shown() {
        let envelope = Envelope { codec: 1, version: 1, fingerprint: 0, payload: b"canary".to_vec() };
        let text = format!("{:?}", WorkSpec::new(None, StoredOptions::default(), envelope));
        assert!(!text.contains("canary") && !text.contains("99, 97, 110"), "{text}");
    }
}

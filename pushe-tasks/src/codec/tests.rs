use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::*;

fn carried<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = encode(value).unwrap();
    assert_eq!(&open::<T>(&seal(bytes)).unwrap(), value);
}

fn refused<T: Serialize + DeserializeOwned>(value: &T) -> CodecError {
    encode(value).unwrap_err()
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Plain {
    text: String,
    list: Vec<u32>,
    maybe: Option<f64>,
    pair: (i128, char),
    wait: Duration,
}

#[test]
fn what_bincode_carries_is_carried() {
    let text = "grün".to_owned();
    carried(&Plain { text, list: vec![1, 2], maybe: Some(-0.5), pair: (-1, 'x'), wait: Duration::MAX });
    carried(&());
    carried(&BTreeMap::from([(1, "a".to_owned())]));
    carried(&f64::INFINITY);
}

#[test]
fn the_order_of_maps_and_sets_does_not_matter() {
    for seed in 0..20 {
        let map: HashMap<u32, HashSet<String>> =
            (0..50).map(|n| (n * 7 + seed, (0..9).map(|m| format!("{m}/{n}")).collect())).collect();
        carried(&map);
    }
}

#[test]
fn nan_is_carried() {
    let bytes = encode(&f64::NAN).unwrap();
    assert!(decode::<f64>(&bytes).unwrap().is_nan());
}

#[derive(Serialize, Deserialize)]
struct Inner {
    x: u32,
}

#[derive(Serialize, Deserialize)]
struct Flat {
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u32),
}

#[derive(Serialize, Deserialize)]
struct Skips {
    #[serde(skip_serializing_if = "Option::is_none")]
    o: Option<u32>,
    b: u8,
    p: Option<u8>,
}

#[test]
fn what_bincode_cannot_carry_is_refused_with_type_and_remedy() {
    let flat = refused(&Flat { inner: Inner { x: 1 } });
    assert!(matches!(flat, CodecError::Encode { .. }));
    assert!(flat.to_string().contains("Flat") && flat.to_string().contains("plain fields"), "{flat}");
    let untagged = refused(&Untagged::Number(1));
    assert!(matches!(untagged, CodecError::RoundTrip { .. }));
    assert!(untagged.to_string().contains("untagged"), "{untagged}");
}

#[test]
fn a_value_that_reads_back_as_another_is_refused() {
    // Every byte is consumed and no error is raised: only a comparison shows it.
    let silent = refused(&Skips { o: None, b: 0, p: Some(0) });
    assert!(silent.to_string().contains("another value"), "{silent}");
}

#[test]
fn damaged_bytes_ask_for_no_memory_and_leave_nothing_over() {
    let mut huge = vec![253];
    huge.extend_from_slice(&u64::MAX.to_le_bytes());
    for bytes in [huge, vec![252, 0xff, 0xff, 0xff, 0xff], vec![]] {
        assert!(decode::<String>(&bytes).is_err());
        assert!(decode::<Vec<u64>>(&bytes).is_err());
    }
    assert!(decode::<u8>(&[1, 2]).unwrap_err().to_string().contains("1 bytes are left over"));
    let mut other = seal(vec![1]);
    other.codec = 9;
    assert!(open::<u8>(&other).unwrap_err().to_string().contains("codec 9"));
}

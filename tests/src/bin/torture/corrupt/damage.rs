//! What is done to a file.

use std::ops::Range;

use fastrand::Rng;

const PAGE: usize = 4096;
const SECTOR: usize = 512;
/// What redb keeps of the whole file: mark, flags, and the slots of two commits.
const HEADER: usize = 320;

/// The kinds of damage.
const KINDS: &[(&str, fn(&mut Vec<u8>, &mut Rng))] = &[
    ("bit flips", flip_bits),
    ("a zeroed sector", zero_sectors),
    ("a page of garbage", garbage),
    ("truncation", truncate),
    ("two pages swapped", swap),
    ("a page in the place of another", duplicate),
    ("bit flips in the header", flip_header),
    ("two kinds together", twice),
];

/// Damages a file in a way that chance chooses; answers what was done.
pub(super) fn damage(image: &mut Vec<u8>, random: &mut Rng) -> &'static str {
    let (name, apply) = KINDS[random.usize(..KINDS.len())];
    apply(image, random);
    name
}

fn twice(image: &mut Vec<u8>, random: &mut Rng) {
    for _ in 0..2 {
        KINDS[random.usize(..KINDS.len() - 1)].1(image, random);
    }
}

/// A page that holds something, but for the first.
fn used(image: &[u8], random: &mut Rng) -> Range<usize> {
    let holds = |page: &usize| image[page * PAGE..(page + 1) * PAGE].iter().any(|byte| *byte != 0);
    let pages: Vec<_> = (1..image.len() / PAGE).filter(holds).collect();
    let page = random.choice(pages).unwrap_or(0);
    (page * PAGE).min(image.len())..((page + 1) * PAGE).min(image.len())
}

fn flip_bits(image: &mut Vec<u8>, random: &mut Rng) {
    for _ in 0..random.usize(1..6) {
        let page = used(image, random);
        if !page.is_empty() {
            image[random.usize(page)] ^= 1 << random.u32(..8);
        }
    }
}

fn flip_header(image: &mut Vec<u8>, random: &mut Rng) {
    let len = image.len().min(HEADER);
    for _ in 0..random.usize(1..3) {
        if len > 0 {
            image[random.usize(..len)] ^= 1 << random.u32(..8);
        }
    }
}

fn zero_sectors(image: &mut Vec<u8>, random: &mut Rng) {
    for _ in 0..random.usize(1..4) {
        // The header is met now and then.
        let page = if random.u32(..10) == 0 { 0..image.len().min(PAGE) } else { used(image, random) };
        let sector = page.start + random.usize(..PAGE / SECTOR) * SECTOR;
        let end = (sector + SECTOR).min(page.end);
        image[sector.min(end)..end].fill(0);
    }
}

fn garbage(image: &mut Vec<u8>, random: &mut Rng) {
    let page = if random.u32(..20) == 0 { 0..image.len().min(PAGE) } else { used(image, random) };
    random.fill(&mut image[page]);
}

fn truncate(image: &mut Vec<u8>, random: &mut Rng) {
    let len = random.usize(..=image.len());
    // To a whole page, as file systems do, or anywhere.
    image.truncate(if random.bool() { len / PAGE * PAGE } else { len });
}

fn swap(image: &mut Vec<u8>, random: &mut Rng) {
    let (one, other) = (used(image, random), used(image, random));
    if one.len() == other.len() {
        let kept = image[one.clone()].to_vec();
        image.copy_within(other.clone(), one.start);
        image[other].copy_from_slice(&kept);
    }
}

fn duplicate(image: &mut Vec<u8>, random: &mut Rng) {
    let (from, to) = (used(image, random), used(image, random));
    if from.len() == to.len() {
        image.copy_within(from, to.start);
    }
}

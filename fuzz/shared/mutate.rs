//! Inputs for stable Rust: seeds, and what a few thousand random changes make of them. The same inputs at each run.

/// What is likely to matter to a parser of anything.
const TOKENS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"-",
    b"null",
    b"true",
    b"1e999",
    b"18446744073709551616",
    b"\\ud800",
    b"\0",
    b"\n",
    b"\r\n",
    b"\x1b[31m",
    b"\xff",
    b"\xc3\x28",
    b"\xe2\x80\xae",
    b"\xcc\x81\xcc\x81\xcc\x81",
    b".",
    b"=",
    b"__",
    b"..",
];

/// Runs `target` on the seeds and on `rounds` changes of each.
pub fn run(seeds: &[&str], rounds: u32, target: impl Fn(&[u8])) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    target(b"");
    for seed in seeds {
        target(seed.as_bytes());
        let mut input = seed.as_bytes().to_vec();
        for round in 0..rounds {
            // Changes pile up for a while, then it begins anew.
            if round % 16 == 0 || input.len() > 100_000 {
                input = seed.as_bytes().to_vec();
            }
            change(&mut input, seeds, &mut dice);
            target(&input);
        }
    }
}

fn change(input: &mut Vec<u8>, seeds: &[&str], dice: &mut Dice) {
    let place = dice.below(input.len() + 1);
    match dice.below(8) {
        0 if place < input.len() => input[place] ^= 1 << dice.below(8),
        1 if place < input.len() => {
            input.remove(place);
        }
        2 => input.insert(place, u8::try_from(dice.below(256)).unwrap_or(0)),
        3 => input.truncate(place),
        4 => {
            let token = TOKENS[dice.below(TOKENS.len())];
            drop(input.splice(place..place, token.iter().copied()));
        }
        5 => {
            let other = seeds[dice.below(seeds.len())].as_bytes();
            input.extend_from_slice(&other[dice.below(other.len() + 1)..]);
        }
        6 => {
            let end = place + dice.below(input.len() - place + 1);
            let piece = input[place..end].to_vec();
            drop(input.splice(end..end, piece));
        }
        _ => {
            let piece = TOKENS[dice.below(TOKENS.len())].repeat(dice.below(200));
            drop(input.splice(place..place, piece));
        }
    }
}

/// Marsaglia's xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound.max(1)
    }
}

//! Archives that were tampered with.

use super::archive::{self, Records};
use super::*;

fn manifest(files: Vec<File>) -> Manifest {
    let user = Owner { id: UserId::new(7).unwrap(), username: "ada".to_owned() };
    let (format, server) = (FORMAT.to_owned(), "Loquat".to_owned());
    Manifest { format, version: VERSION, server, created_at: 1, user, files }
}

/// An archive of these entries, with a manifest that may say something else.
fn build(entries: &[(&str, &str)], change: impl FnOnce(&mut Manifest)) -> Vec<u8> {
    let (mut files, mut bytes) = (Vec::new(), Vec::new());
    for (path, content) in entries {
        let records = if path.ends_with(".txt") { 0 } else { content.matches('\n').count() as u64 };
        let (file, entry) = archive::entry((*path).to_owned(), content.as_bytes(), records, 1).unwrap();
        files.push(file);
        bytes.extend(entry);
    }
    let mut manifest = manifest(files);
    change(&mut manifest);
    let text = serde_json::to_vec(&manifest).unwrap();
    bytes.extend(archive::entry(MANIFEST.to_owned(), &text, 0, 1).unwrap().1);
    bytes.extend(archive::end());
    bytes
}

const ENTRIES: [(&str, &str); 3] =
    [("README.txt", "hello\n"), ("profile.json", "{}\n"), ("messages/000001.jsonl", "{}\n{}\n")];

#[test]
fn what_is_whole_is_verified() {
    let verified = verify(build(&ENTRIES, |_| {}).as_slice()).unwrap();
    let records: Vec<_> = verified.records.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(records, [("messages", 2), ("profile.json", 1)]);
    assert_eq!(verified.manifest.files.len(), 3);
}

#[test]
fn whatever_is_changed_is_noticed() {
    let found = |archive: &[u8]| verify(archive).unwrap_err().to_string();
    let whole = build(&ENTRIES, |_| {});
    assert_eq!(
        found(&build(&ENTRIES, |it| it.files.truncate(2))),
        "messages/000001.jsonl has no place in an export"
    );
    assert_eq!(
        found(&build(&ENTRIES[..2], |it| it.files.push(it.files[0].clone()))),
        "README.txt is missing"
    );
    assert_eq!(found(&build(&ENTRIES, |it| it.files[1].records = 2)), "profile.json was changed");
    assert_eq!(found(&build(&ENTRIES, |it| it.files[1].sha256 = "0".repeat(64))), "profile.json was changed");
    assert_eq!(
        found(&build(&ENTRIES, |it| it.version = 2)),
        "it is of version 2 of the format, this program knows 1"
    );
    assert!(found(&build(&ENTRIES, |it| it.format = "photos".to_owned())).contains("photos"));
    let twice = [ENTRIES[0], ENTRIES[0]];
    assert_eq!(found(&build(&twice, |_| {})), "README.txt has no place in an export");
    let after = [whole[..whole.len() - 1024].to_vec(), build(&ENTRIES, |_| {})].concat();
    assert_eq!(found(&after), "README.txt has no place in an export");
    for cut in [0, 512, 1024, whole.len() - 1536] {
        assert!(verify(&whole[..cut]).is_err(), "{cut}");
    }
    assert!(matches!(
        verify(&b"PK\x03\x04 and so on"[..]),
        Err(NotAnExport::Unreadable(_) | NotAnExport::NoManifest)
    ));
}

/// Every bit of an archive counts, but for the padding.
#[test]
fn a_flipped_bit_is_noticed() {
    let whole = build(&ENTRIES, |_| {});
    // Contents: after each header of 512 bytes.
    for place in [512, 512 + 5, 1536, 2560, 2565] {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[place] ^= 1 << bit;
            assert!(verify(changed.as_slice()).is_err(), "bit {bit} of byte {place}");
        }
    }
    for place in [0, 100, 124, 512 * 2 + 1, 512 * 4 + 136] {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        assert!(verify(changed.as_slice()).is_err(), "byte {place} of a header");
    }
}

#[test]
fn parts_are_closed_when_they_are_long() {
    let mut records = Records::new("messages");
    assert_eq!(records.take(1).unwrap(), None);
    let line = "x".repeat(1000);
    let mut parts = 0;
    for _ in 0..3_000 {
        records.push(&line).unwrap();
        if records.is_full() {
            parts += 1;
            let (file, bytes) = records.take(1).unwrap().unwrap();
            assert_eq!(file.path, format!("messages/{parts:06}.jsonl"));
            assert!(bytes.len() < archive::PART_BYTES + 4096 && bytes.len() % 512 == 0);
        }
    }
    assert_eq!(parts, 2);
}

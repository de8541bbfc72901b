use loquat_proto::DeviceId;
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = 1_763_800_000_000;
const DAY: i64 = 24 * 60 * 60 * 1000;
const TTL: Retention = Retention::Ttl { seconds: 60 };

fn device(id: u64) -> Option<DeviceId> {
    DeviceId::new(id)
}

/// Messages by `seq`, with how long ago they were written in milliseconds.
fn messages(written: &[(Seq, i64)]) -> Vec<SweptMessage> {
    written.iter().map(|(seq, ago)| SweptMessage { seq: *seq, ts: NOW - ago, device: device(1) }).collect()
}

/// A device with its cursor and how many days ago it was seen.
fn seen(id: u64, delivered: Seq, days: i64) -> MemberDevice {
    let device = device(id).unwrap();
    MemberDevice { device, active_at: NOW - days * DAY, visible_from: 1, delivered }
}

fn facts(retention: Retention, written: &[(Seq, i64)]) -> SweepFacts {
    let head = written.last().map_or(0, |(seq, _)| *seq) + 2;
    let messages = messages(written);
    SweepFacts {
        retention,
        erased_to: 0,
        expired_to: 0,
        messages,
        looked_to: head,
        head,
        devices: Vec::new(),
    }
}

#[test]
fn what_is_kept_is_never_due() {
    let facts = facts(Retention::Keep, &[(1, 365 * DAY)]);
    let nothing = Verdict { horizons: Horizons::default(), next: None };
    assert_eq!(decide(&facts, NOW), nothing);
    assert_eq!(first_due(Retention::Keep, NOW), None);
}

#[test]
fn a_ttl_counts_from_the_time_of_the_message() {
    for (written, expired_to, next) in [
        (&[][..], 0, None),
        (&[(3, 59_999)], 0, Some(NOW + 1)),
        (&[(3, 60_000)], 3, None),
        (&[(3, 60_000), (7, 59_000)], 3, Some(NOW + 1_000)),
        (&[(3, 90_000), (7, 60_000), (8, 0), (9, 0)], 7, Some(NOW + 60_000)),
        // A clock that was ahead keeps nothing alive behind it.
        (&[(3, -DAY), (7, 60_000), (8, 10_000)], 7, Some(NOW + 50_000)),
        (&[(3, -DAY), (7, 10_000)], 0, Some(NOW + 50_000)),
    ] {
        let verdict = decide(&facts(TTL, written), NOW);
        let horizons = Horizons { erased_to: expired_to, expired_to };
        assert_eq!(verdict, Verdict { horizons, next }, "{written:?}");
    }
    assert_eq!(first_due(TTL, NOW), Some(NOW + 60_000));
    assert_eq!(first_due(Retention::Ttl { seconds: u64::MAX }, NOW), Some(i64::MAX));
}

#[test]
fn a_log_longer_than_a_look_is_looked_at_again_at_once() {
    let mut part = facts(TTL, &[(1, DAY), (2, DAY)]);
    (part.looked_to, part.head) = (2, 90);
    let verdict = decide(&part, NOW);
    assert_eq!((verdict.horizons.expired_to, verdict.next), (2, Some(NOW)));
    part.messages.clear();
    assert_eq!(decide(&part, NOW).next, Some(NOW), "no messages, but more events");
}

#[test]
fn what_was_erased_once_delivered_expires_later() {
    let mut facts = facts(TTL, &[(1, DAY), (2, 0)]);
    facts.erased_to = 2;
    let horizons = Horizons { erased_to: 2, expired_to: 1 };
    assert_eq!(decide(&facts, NOW).horizons, horizons);
    facts.retention = Retention::Keep;
    assert_eq!(decide(&facts, NOW).horizons, Horizons { erased_to: 2, expired_to: 0 });
}

#[test]
fn a_delivered_message_goes_when_every_active_device_has_it() {
    let two = &[(3, 1_000), (7, 500)][..];
    let recheck = Some(NOW + 60 * 60 * 1000);
    for (name, devices, erased_to, next) in [
        ("nobody is active", vec![], 7, None),
        ("its own device has it", vec![seen(1, 0, 0)], 7, None),
        ("another has nothing", vec![seen(1, 0, 0), seen(2, 0, 0)], 0, recheck),
        ("another has the first", vec![seen(1, 0, 0), seen(2, 6, 0)], 3, recheck),
        ("all have all", vec![seen(1, 0, 0), seen(2, 7, 0), seen(3, 9, 29)], 7, None),
        ("one of a user's devices is behind", vec![seen(2, 7, 0), seen(3, 3, 29)], 3, recheck),
        ("the one behind was not seen for 30 days", vec![seen(2, 7, 0), seen(3, 3, 30)], 7, None),
        ("it may not see them", vec![MemberDevice { visible_from: 8, ..seen(2, 0, 0) }], 7, None),
        ("it may see the second", vec![MemberDevice { visible_from: 7, ..seen(2, 0, 0) }], 3, recheck),
    ] {
        let facts = SweepFacts { devices, ..facts(Retention::UntilDelivered, two) };
        let horizons = Horizons { erased_to, expired_to: 0 };
        assert_eq!(decide(&facts, NOW), Verdict { horizons, next }, "{name}");
    }
}

#[test]
fn nothing_waits_longer_than_thirty_days_for_delivery() {
    let behind = vec![seen(2, 0, 0)];
    for (ago, erased_to, next) in
        [(30 * DAY, 3, None), (30 * DAY - 1, 0, Some(NOW + 1)), (29 * DAY, 0, Some(NOW + 60 * 60 * 1000))]
    {
        let facts = SweepFacts { devices: behind.clone(), ..facts(Retention::UntilDelivered, &[(3, ago)]) };
        let verdict = decide(&facts, NOW);
        assert_eq!((verdict.horizons.erased_to, verdict.next), (erased_to, next), "{ago}");
    }
}

fn any_retention() -> impl Strategy<Value = Retention> {
    prop_oneof![
        Just(Retention::Keep),
        (1_u64..2000).prop_map(|seconds| Retention::Ttl { seconds }),
        Just(Retention::UntilDelivered),
    ]
}

prop_compose! {
    fn any_facts()(
        retention in any_retention(),
        gaps in prop::collection::vec((1_u64..4, -5_000_i64..2_000_000, 1_u64..5), 0..20),
        devices in prop::collection::vec((1_u64..5, 0_u64..60, 0_i64..40, 1_u64..30), 0..5),
        (erased, expired, more) in (0_u64..20, 0_u64..20, 0_u64..3),
    ) -> SweepFacts {
        let (erased_to, expired_to) = (erased.max(expired), expired);
        let mut seq = if matches!(retention, Retention::Ttl { .. }) { expired_to } else { erased_to };
        let messages = gaps.into_iter().map(|(gap, ago, by)| {
            seq += gap;
            SweptMessage { seq, ts: NOW - ago, device: device(by) }
        }).collect();
        let devices = devices.into_iter().map(|(id, delivered, days, visible_from)| {
            MemberDevice { visible_from, ..seen(id, delivered, days) }
        }).collect();
        let (looked_to, head) = (seq, seq + more);
        SweepFacts { retention, erased_to, expired_to, messages, looked_to, head, devices }
    }
}

proptest! {
    #[test]
    fn horizons_never_move_back_and_never_too_far(facts in any_facts()) {
        let Verdict { horizons, .. } = decide(&facts, NOW);
        prop_assert!(horizons.erased_to >= facts.erased_to && horizons.expired_to >= facts.expired_to);
        prop_assert!(horizons.erased_to <= facts.looked_to.max(facts.erased_to));
        prop_assert!(horizons.expired_to <= horizons.erased_to);
    }

    #[test]
    fn what_goes_had_to_go_and_what_is_due_goes(facts in any_facts()) {
        let Verdict { horizons, .. } = decide(&facts, NOW);
        let gone = |message: &&SweptMessage| match facts.retention {
            Retention::Ttl { .. } => message.seq <= horizons.expired_to,
            _ => message.seq <= horizons.erased_to,
        };
        let due = |message: &SweptMessage| match facts.retention {
            Retention::Keep => false,
            Retention::Ttl { seconds } => message.ts + i64::try_from(seconds).unwrap() * 1000 <= NOW,
            Retention::UntilDelivered => message.ts + ACTIVE_MS <= NOW,
        };
        for message in facts.messages.iter().filter(|message| due(message)) {
            prop_assert!(gone(&message), "{message:?} is due");
        }
        if let Some(last) = facts.messages.iter().rev().find(gone) {
            let held = facts.devices.iter().filter(|device| NOW - device.active_at < ACTIVE_MS).any(|device| {
                last.seq > device.delivered && last.seq >= device.visible_from && last.device != Some(device.device)
            });
            let delivered = facts.retention == Retention::UntilDelivered && !held;
            prop_assert!(due(last) || delivered, "{last:?} had not to go");
        }
    }

    #[test]
    fn after_a_sweep_there_is_nothing_to_do_until_it_says(facts in any_facts(), wait in 0_i64..5_000_000) {
        let Verdict { horizons, next } = decide(&facts, NOW);
        let mut rest = facts.clone();
        (rest.erased_to, rest.expired_to) = (horizons.erased_to, horizons.expired_to);
        let base = if matches!(facts.retention, Retention::Ttl { .. }) { rest.expired_to } else { rest.erased_to };
        rest.messages.retain(|message| message.seq > base);
        let at = next.map_or(NOW + wait, |next| (NOW + wait).min(next - 1));
        if at >= NOW && !rest.messages.is_empty() && facts.retention != Retention::UntilDelivered {
            prop_assert_eq!(decide(&rest, at).horizons, horizons);
        }
        prop_assert!(next.is_none_or(|next| next >= NOW));
        if facts.retention != Retention::Keep && !rest.messages.is_empty() {
            prop_assert!(next.is_some(), "what stays is looked after");
        }
    }
}

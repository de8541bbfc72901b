//! What every implementation of the storage ports has to do: one function a property, each on a fresh store.
//!
//! A test crate runs all of it with [`conformance_suite!`](crate::conformance_suite):
//!
//! ```ignore
//! struct Fixture { store: MyStore, _directory: TempDir }
//! impl loquat_store::conformance::Fixture for Fixture { /* fresh(), store() */ }
//! loquat_store::conformance_suite!(Fixture);
//! ```
//!
//! A property is named after what it promises; to add one, write the function and add its name to the list in the
//! macro. The suite uses the ports alone, so that it says nothing about how an engine does it.
#![allow(clippy::unwrap_used, reason = "tests: a failure is the point")]

use loquat_domain::ports::{
    AccountLog, Accounts, Administration, AuditLog, Blocks, Contacts, Conversations, Devices, EventLog,
    Inspection, Invites, Outbox, Presences, Retentions, Timeline,
};

pub mod account_log;
pub mod accounts;
pub mod administration;
pub mod blocks;
pub mod changes;
pub mod channels;
pub mod contacts;
pub mod conversations;
pub mod cursors;
pub mod deletion;
pub mod devices;
pub mod invites;
pub mod log;
pub mod model;
pub mod outbox;
pub mod presences;
pub mod retention;
pub mod timeline;
pub mod views;

mod world;

pub use world::{NOW, World};

/// All storage ports in one.
pub trait Ports:
    EventLog
    + Conversations
    + Invites
    + Timeline
    + Presences
    + Accounts
    + AccountLog
    + Devices
    + Contacts
    + Blocks
    + Administration
    + Inspection
    + AuditLog
    + Outbox
    + Retentions
    + 'static
{
}

impl<T> Ports for T where
    T: EventLog
        + Conversations
        + Invites
        + Timeline
        + Presences
        + Accounts
        + AccountLog
        + Devices
        + Contacts
        + Blocks
        + Administration
        + Inspection
        + AuditLog
        + Outbox
        + Retentions
        + 'static
{
}

/// A store for one test, with whatever has to live as long.
pub trait Fixture {
    /// The implementation.
    type Store: Ports;

    /// An empty store.
    fn fresh() -> Self;

    /// The store.
    fn store(&self) -> &Self::Store;
}

/// Makes a test of every property, on fresh stores of this [`Fixture`].
#[macro_export]
macro_rules! conformance_suite {
    ($fixture:ty) => {
        $crate::conformance_suite!(@module $fixture, log: [
            seq_is_contiguous_from_one,
            placements_tell_place_and_time,
            a_replay_is_answered_from_the_log,
            a_replay_within_one_append_appends_once,
            a_replay_within_one_call_appends_once,
            replays_are_left_out_of_the_sequence,
            nonces_are_known_for_each_sender_and_conversation,
            a_nonce_stays_known_after_many_others,
            a_wrong_head_or_version_is_a_conflict,
            a_conflict_changes_nothing_and_costs_no_neighbour,
            account_entries_come_with_their_events,
            concurrent_appends_leave_no_gap,
            find_nonce_finds_what_was_appended,
            target_tells_what_a_mutation_needs,
            reaction_tells_where_it_stands,
            tail_has_every_event_once_in_order,
        ]);
        $crate::conformance_suite!(@module $fixture, changes: [
            the_newest_edit_is_shown,
            erasure_reaches_every_copy_and_keeps_the_skeleton,
            reactions_stand_in_the_order_of_first_use,
            pins_come_and_go,
            pins_are_paged_from_the_newest,
            who_joins_sees_from_the_start_or_from_here,
            who_leaves_is_gone_with_cursors_and_preferences,
            roles_and_ownership_move,
            settings_change_field_by_field,
            mentions_count_while_unread,
            the_last_send_is_known_even_after_a_return,
        ]);
        $crate::conformance_suite!(@module $fixture, conversations: [
            a_creation_is_whole,
            a_pair_has_one_direct_conversation,
            concurrent_creations_make_one_direct_conversation,
            a_taken_id_is_refused,
            nothing_is_loaded_of_what_is_not_there,
            members_are_paged_by_id,
            preferences_are_the_viewers_own,
            positions_grow_with_every_change,
            deletion_takes_everything,
            standing_tells_role_and_permissions,
        ]);
        $crate::conformance_suite!(@module $fixture, channels: [
            members_are_read_as_asked_for,
            an_unlogged_change_takes_no_seq_and_moves_the_version,
            unlogged_changes_are_known_by_their_nonces,
            channels_of_a_user_are_listed,
            the_heir_is_the_oldest_of_the_highest_role,
            cursors_of_large_channels_are_news_for_their_own_user,
        ]);
        $crate::conformance_suite!(@module $fixture, invites: [
            an_invitation_is_found_by_its_code,
            a_retried_creation_makes_one_invitation,
            a_creator_who_stands_otherwise_makes_nothing,
            invitations_that_work_are_limited,
            a_taken_code_is_refused,
            admissions_count_and_stop_at_the_maximum,
            concurrent_admissions_stop_at_the_maximum,
            expired_and_revoked_invitations_admit_nobody,
            a_refused_admission_changes_nothing_and_costs_no_neighbour,
            a_replayed_admission_counts_once,
            who_was_removed_is_barred_until_added,
            who_left_is_not_barred,
            invitations_of_the_removed_are_revoked,
            deletion_takes_invitations,
        ]);
        $crate::conformance_suite!(@module $fixture, cursors: [
            cursors_move_forward_only,
            cursors_stop_at_the_head,
            reading_implies_delivery,
            moves_of_strangers_are_ignored,
            the_furthest_device_is_shown,
            hidden_receipts_say_nothing_was_read,
            own_messages_are_never_unread,
        ]);
        $crate::conformance_suite!(@module $fixture, timeline: [
            events_are_contiguous_within_sight,
            nonces_are_shown_to_their_sender_only,
            messages_are_paged_in_all_ways,
            pages_fill_up_between_dense_events,
            a_time_finds_the_first_message_after_it,
            nobody_else_reads,
            nothing_below_visible_from_is_read,
            one_message_or_none,
        ]);
        $crate::conformance_suite!(@module $fixture, views: [
            the_newest_activity_comes_first,
            pages_of_views_cover_all_once,
            changed_since_misses_nothing,
            a_view_says_what_the_member_may_see,
            direct_conversations_show_the_peer,
            large_conversations_leave_cursors_out,
        ]);
        $crate::conformance_suite!(@module $fixture, accounts: [
            a_sign_up_is_whole,
            names_addresses_and_ids_are_unique,
            any_login_finds_the_account,
            a_profile_changes_field_by_field,
            search_goes_by_prefix_and_privacy,
            search_is_paged_by_username,
            creations_are_remembered_for_a_day,
        ]);
        $crate::conformance_suite!(@module $fixture, account_log: [
            account_logs_are_contiguous_from_one,
            concurrent_appends_to_an_account_log_leave_no_gap,
        ]);
        $crate::conformance_suite!(@module $fixture, deletion: [
            a_deleted_account_is_a_tombstone,
            a_deleted_accounts_name_is_kept_for_thirty_days,
            a_deleted_accounts_content_is_erased,
            a_deleted_peer_stays_in_direct_conversations,
            a_deleted_account_leaves_no_trace_elsewhere,
            a_deleted_account_signs_no_device_in,
        ]);
        $crate::conformance_suite!(@module $fixture, contacts: [
            a_request_waits_and_tells_both,
            accepting_makes_contacts_of_both,
            requests_in_both_directions_make_contacts,
            declining_tells_nobody_else,
            a_declined_request_stays_unheard_when_made_anew,
            asking_who_was_declined_makes_contacts,
            withdrawing_tells_both,
            removing_a_contact_tells_both,
            requests_need_two_accounts_and_no_block,
            contacts_and_requests_are_limited,
            contacts_are_paged_by_id,
            forgetting_ends_everything_and_tells_the_others,
        ]);
        $crate::conformance_suite!(@module $fixture, blocks: [
            a_block_is_told_to_who_blocks,
            a_block_outdates_the_direct_conversation,
            a_block_ends_requests_and_keeps_contacts,
            blocks_are_limited_and_paged,
            the_blocked_create_no_conversation_with_who_blocks,
            the_blocked_add_nobody_who_blocks_them,
            a_block_hides_cursors_in_direct_conversations,
        ]);
        $crate::conformance_suite!(@module $fixture, devices: [
            devices_are_limited_and_listed_newest_first,
            revoked_devices_are_not_active,
            a_new_password_revokes_the_other_devices,
            refresh_tokens_rotate,
            a_repeated_refresh_gets_the_same_successor,
            a_reused_refresh_token_revokes_the_device,
            expired_and_unknown_tokens_are_refused,
            the_first_signing_key_wins,
        ]);
        $crate::conformance_suite!(@module $fixture, administration: [
            accounts_are_listed_by_id_state_and_prefix,
            an_account_is_shown_whole,
            a_disabled_account_is_shut_out_until_enabled,
            a_reset_password_revokes_every_device,
            devices_are_listed_with_their_owners,
            statistics_count_what_there_is,
            conversations_are_listed_and_inspected,
            acts_stay_on_record,
        ]);
        $crate::conformance_suite!(@module $fixture, presences: [
            presence_is_seen_by_who_shares_a_conversation,
            presence_is_seen_by_contacts,
            presence_is_hidden_from_the_blocked,
            last_seen_moves_forward_only,
        ]);
        $crate::conformance_suite!(@module $fixture, outbox: [
            a_cursor_moves_by_compare_and_set,
            due_jobs_are_claimed_in_order,
            claims_are_exclusive,
            the_same_job_waits_once,
            done_jobs_go_unless_they_are_wanted_again,
            jobs_go_on_with_their_payload,
            failed_jobs_wait_and_count,
            an_expired_lease_is_taken_over,
            a_deadly_job_is_buried,
            dead_letters_wait_for_somebody,
            jobs_are_listed,
        ]);
        $crate::conformance_suite!(@module $fixture, retention: [
            retentions_are_told,
            an_erasure_reaches_every_copy,
            horizons_only_grow,
            a_sweep_sees_what_it_needs,
            what_comes_too_late_leaves_no_trace,
            marks_are_the_tail_without_content,
        ]);
        #[test]
        fn what_is_shown_is_what_a_plain_model_says() {
            $crate::conformance::model::what_is_shown_is_what_a_plain_model_says::<$fixture>();
        }
    };
    (@module $fixture:ty, $module:ident: [$($property:ident),* $(,)?]) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test]
                async fn $property() {
                    let fixture = <$fixture as $crate::conformance::Fixture>::fresh();
                    let store = $crate::conformance::Fixture::store(&fixture);
                    $crate::conformance::$module::$property(store).await;
                }
            )*
        }
    };
}

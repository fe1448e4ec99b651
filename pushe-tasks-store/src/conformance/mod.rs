//! The suite that a store passes before it joins: one file a verb, each case named by its clause of SEMANTICS.
//!
//! A store of any kind is held to it from a test of its own crate, with the feature `conformance`:
//!
//! ```
//! use pushe_tasks_store::conformance::Harness;
//! use pushe_tasks_store::{MemoryStore, Store};
//!
//! struct Memory(MemoryStore);
//!
//! impl Harness for Memory {
//!     fn store(&mut self) -> &mut dyn Store {
//!         &mut self.0
//!     }
//!
//!     // As a new process would: what is committed is there, and no body lives.
//!     fn reopen(self: Box<Self>) -> Box<dyn Harness> {
//!         Box::new(Memory(self.0.reopen()))
//!     }
//! }
//!
//! // In a test file this makes one `#[test]` of every case; `conformance::run` runs them all in one call.
//! pushe_tasks_store::conformance_suite!(|| Box::new(Memory(MemoryStore::default())));
//! # fn main() { pushe_tasks_store::conformance::run_case("look::s9_2_a_page_goes_on_where_the_last_one_ended", &|| Box::new(Memory(MemoryStore::default()))) }
//! ```
//!
//! Invariant: a case looks at a store through its verbs alone, and ends with a check that every index agrees with the
//! records (I15).

mod at_once;
mod cancel;
mod claim;
mod enqueue;
mod expire;
mod look;
mod model;
mod pause;
mod periodic;
mod policy;
mod progress;
mod prune;
mod query;
mod random;
mod release;
mod requeue;
mod rescue;
mod settle;
mod suspect;
mod update;
mod world;

use world::World;

use crate::verbs::Store;

/// One store under test, and how to open it again.
pub trait Harness {
    /// The store.
    fn store(&mut self) -> &mut dyn Store;

    /// Closes the store without ceremony and opens it as a new process would.
    fn reopen(self: Box<Self>) -> Box<dyn Harness>;

    /// Compares what cannot be seen through the verbs, such as indexes, with the records; says what does not agree.
    fn check(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// Makes an empty store; every case gets one of its own.
pub type Make<'a> = &'a dyn Fn() -> Box<dyn Harness>;

/// One case.
type Case = fn(&mut World);

/// Hands the names of all cases to another macro; a case that is not listed here does not compile.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    ([$($then:tt)*] $($args:tt)*) => {
        $($then)* ! {
            ($($args)*)
            enqueue {
                s1_1_a_piece_is_stored_as_it_was_given
                s1_1_what_is_due_is_ready_and_the_rest_is_delayed
                s1_21_sequence_numbers_grow_over_a_restart
                s4_12_a_batch_is_all_or_nothing
                s4_12_a_batch_is_judged_in_order
                s4_12_a_refused_verb_leaves_the_others_of_its_transaction
                s7_5_an_enqueue_is_repeated_safely
                pieces_that_share_a_lane_share_it_for_ever
                a_transaction_says_what_it_changed
                many_calls_are_each_all_or_none_and_keep_their_order
            }
            policy {
                s4_2_every_policy_stores_the_first
                s4_1_finished_work_holds_no_id
                s4_3_keep_answers_what_waits
                s4_4_keep_answers_what_runs
                s4_9_keep_answers_the_oldest_and_says_whether_options_differ
                s4_8_keep_refuses_an_id_of_another_task
                s4_8_an_alias_is_the_same_task
                s4_3_replace_cancels_what_waits
                s4_4_replace_waits_for_the_body_it_replaces
                s4_4_of_many_replacements_the_newest_runs
                s4_9_replace_cancels_all
                s4_9_replace_inherits_interruptions
                s4_6_append_runs_every_piece_in_order
                s4_6_append_goes_on_whatever_became_of_the_one_before
                s4_6_cancelling_a_middle_piece_takes_only_that_one_out
                s4_5_quarantined_work_is_kept_replaced_and_appended_to
                s4_5_what_stands_behind_quarantined_work_goes_on
                s4_1_ids_of_finished_and_unfinished_work_are_kept_apart
                s4_3_appended_after_success_waits_for_it
                s4_7_a_failed_predecessor_fails_what_was_appended_to_it
                s4_7_a_cancelled_predecessor_cancels_what_was_appended_to_it
                s4_7_an_expired_predecessor_fails_what_was_appended_to_it
                s4_5_quarantined_work_is_waited_for_by_what_needs_its_success
                s4_6_append_and_append_after_success_keep_one_order
                s4_8_append_after_success_refuses_an_id_of_another_task
                s4_9_replace_cancels_what_waits_for_a_success
                s4_5_requeued_work_goes_before_what_waits_for_its_success
                s4_5_discarded_work_fails_what_waits_for_its_success
            }
            update {
                s4_3_update_gives_what_waits_a_new_payload_and_options
                s4_9_update_keeps_attempts_and_a_running_back_off
                s4_3_update_leaves_blocked_work_blocked
                s4_4_whatever_becomes_of_the_running_attempt_the_new_runs
                s4_4_a_back_off_of_the_old_attempt_holds_for_the_new
                s4_4_a_crash_ends_the_running_attempt_too
                s4_4_a_cancel_ends_updated_work
                s4_5_update_keeps_what_is_quarantined
                s4_8_update_refuses_an_id_of_another_task_or_kind
                s5_5_an_update_keeps_the_grid_of_an_unchanged_rhythm
                s5_5_an_update_of_the_rhythm_begins_a_new_grid
                s4_4_an_updated_period_outlives_the_end_of_the_old
                s5_5_what_is_automatic_no_longer_is_cancelled
            }
            at_once {
                s1_4_what_starts_at_once_is_claimed_as_by_a_claim
                s1_4_a_lone_call_starts_at_once
                s1_21_what_stands_before_starts_first
                s1_21_what_has_fallen_due_starts_first
                s1_21_where_permits_are_short_the_order_decides
                what_may_not_start_is_only_stored
                s4_11_ids_are_judged_before_anything_starts
                s7_3_nothing_starts_at_once_beside_a_suspect
            }
            claim {
                s1_4_a_claim_is_durable_and_numbered
                s1_17_claim_numbers_only_grow
                s1_4_delayed_work_is_claimed_when_it_falls_due
                s1_21_order_is_by_due_time_then_by_sequence
                s1_21_order_is_kept_over_lanes
                s1_21_a_boost_jumps_the_queue
                s10_1_permits_bound_each_grant
                s10_1_permits_are_shared_by_the_lanes_of_a_grant
                the_limit_bounds_a_claim_over_all_grants
                lanes_that_are_not_granted_are_left_alone
                s1_19_unknown_lanes_are_no_error
                s4_11_no_two_bodies_of_one_id_or_piece_live
                long_lanes_are_claimed_to_their_end
                s8_1_much_that_falls_due_at_once_is_claimed_in_steps
            }
            settle {
                s1_5_success_stores_the_output
                s1_6_failure_keeps_its_reason_and_text
                s1_8_retry_waits_for_its_back_off
                s1_9_snooze_gives_the_attempt_back
                s1_10_stopped_work_may_run_again_at_once
                s1_13_quarantine_keeps_the_payload
                s1_17_a_stale_claim_changes_nothing
                s1_17_a_settle_counts_once
                s1_17_unknown_work_is_fenced
                s1_18_the_attempt_counts_retries_alone
                s2_5_the_last_ten_attempts_are_remembered
                s6_4_an_error_text_is_cut
                s7_2_an_outcome_resets_interruptions
                settles_of_one_batch_are_judged_each
            }
            release {
                s1_3_a_delay_counts_from_the_release
                s1_3_a_moment_stays_while_work_is_blocked
                s2_3_a_body_that_goes_on_holds_its_piece
                s2_3_a_body_that_goes_on_holds_its_id
                s4_11_new_work_waits_for_a_cancelled_body
                s4_11_a_fenced_settle_says_that_the_body_ended
                s4_11_appended_work_waits_for_a_body_behind_its_predecessor
                only_the_body_that_lives_is_released
                s4_11_a_body_of_before_holds_its_id_whatever_the_rows_say
            }
            cancel {
                s1_14_waiting_work_is_cancelled
                s1_14_running_work_is_fenced_off
                s1_14_finished_and_quarantined_work_stays
                s9_1_a_task_id_names_all_that_bears_it
                s9_1_a_cancel_of_a_task_id_releases_nothing_of_it
                s9_1_what_is_unknown_is_not_cancelled
            }
            pause {
                s9_1_paused_work_does_not_start
                s9_1_a_task_is_paused_apart_from_all
                s9_1_pauses_hold_over_restarts
                s9_1_running_work_goes_on_and_delays_run_out
                s9_1_nothing_starts_at_once_while_paused
                s9_1_a_paused_suspect_holds_nobody_up
                s9_1_only_a_change_of_what_is_paused_is_told
            }
            requeue {
                s1_16_failed_work_is_enqueued_anew
                s1_16_an_id_is_taken_again_or_is_busy
                s1_16_dependents_of_an_id_are_not_revived
                s1_15_quarantined_work_is_enqueued_anew
                s1_15_an_id_that_was_taken_over_is_busy
                s1_15_behind_appended_work_it_stands_last
                s1_15_discarded_work_has_failed
                s4_7_what_waits_for_quarantined_work_waits_for_its_requeue
                s4_7_what_waits_for_discarded_work_fails
                s1_15_only_failed_and_quarantined_work_is_requeued
                s1_16_a_body_that_lives_is_waited_for
                s1_16_periodic_work_goes_on_at_its_slot
                s1_7_what_had_expired_expires_no_more
                s9_1_retry_now_ends_a_back_off
                s9_1_retry_now_ends_the_delay_of_blocked_work
                s9_1_retry_now_gives_periodic_work_a_run
                s9_1_only_waiting_work_is_tried_at_once
            }
            rescue {
                s1_12_orphans_are_enqueued_again
                s7_1_rescue_finds_an_orphan_once
                s7_1_bodies_of_this_process_are_left_alone
                s7_1_an_orphan_of_this_process_is_not_charged
                s7_2_a_crash_is_charged_and_not_an_attempt
                s7_2_a_recorded_stop_charges_nothing
                s7_2_a_stop_counts_for_one_restart
                s7_2_another_boot_charges_nothing
                s7_2_long_attempts_are_not_charged
                s4_11_no_body_outlives_its_process
                s4_6_an_orphan_keeps_its_place_in_the_queue
                s1_17_claims_of_an_earlier_process_are_fenced
            }
            suspect {
                s7_3_after_two_crashes_work_runs_alone_and_before_all_others
                s7_3_others_start_beside_a_suspect_whose_time_alone_has_passed
                s7_3_a_suspect_waits_for_the_bodies_that_live
                s7_3_a_suspect_that_cannot_start_holds_nobody_up
                s7_3_a_delayed_suspect_holds_nobody_up
                s7_3_the_third_crash_sets_aside_what_it_finds_alone
                s7_3_the_limit_of_crashes_is_the_callers
                s7_3_a_crash_without_charge_sets_nothing_aside
                s7_3_a_cancelled_suspect_whose_body_lives_still_keeps_others_away
                s7_3_poison_pieces_end_within_limit_and_2_and_their_number_of_starts
                s7_3_work_that_runs_beside_poison_is_never_set_aside
            }
            periodic {
                s5_1_the_first_slot_is_where_the_work_is_first_due
                s1_11_a_period_that_is_over_waits_for_the_next_slot
                s5_4_failed_periods_in_a_row_are_counted
                s1_12_an_attempt_that_comes_back_stands_for_the_same_run
                s5_3_a_claim_that_led_to_no_body_did_not_begin_the_run
                s5_1_a_flexible_run_goes_along_with_other_work
                s4_8_periodic_and_other_work_do_not_share_an_id
                s4_10_periodic_work_is_found_under_an_earlier_name
                s5_6_a_run_at_another_time_is_that_run_alone
                s5_6_a_time_given_during_a_run_is_for_the_next
                s5_6_only_unfinished_periodic_work_has_a_next_run
                s8_1_waits_by_duration_are_as_long_as_they_were_to_be
                s8_1_a_grid_moves_with_the_clock_when_that_jumps_by_more_than_a_period
                s8_1_a_clock_that_was_set_back_between_two_processes_is_noticed
                s8_1_a_run_that_was_put_off_comes_no_sooner_than_its_slot
            }
            expire {
                s1_7_what_was_not_started_in_time_has_failed
                s1_7_what_has_been_claimed_once_does_not_expire
                s1_7_blocked_and_delayed_work_expires_too
                s1_7_what_expired_releases_its_id
                s1_7_what_waits_for_a_body_expires
                s1_7_expiring_is_bounded_and_takes_the_oldest_first
                s1_7_a_clock_that_was_set_back_in_time_lets_it_run
                s1_7_a_period_does_not_expire_by_itself
            }
            progress {
                s6_3_the_last_progress_is_kept_across_stops
                s6_3_progress_is_cleared_on_finish
                s6_3_progress_of_a_stale_attempt_is_passed_over
            }
            prune {
                s9_5_finished_work_is_kept_for_its_retention
                s9_5_quarantined_and_unfinished_work_is_never_pruned
                s9_5_pruning_is_bounded_and_takes_the_oldest_first
                s9_5_pages_go_on_over_a_pruning
                s9_5_pruned_work_is_gone_with_all_that_hung_on_it
                s9_5_the_next_pruning_is_told
                s9_5_a_task_may_say_how_long_its_work_is_kept
            }
            look {
                s9_2_a_page_goes_on_where_the_last_one_ended
                s9_4_a_census_counts_what_is_set_aside_and_names_the_first_in_line
                s9_2_a_page_shows_what_the_filter_names
                s9_2_the_newest_piece_of_an_id_is_found_finished_or_not
                s9_2_lanes_show_what_is_ready
                s9_2_within_a_transaction_its_own_writes_are_seen
                what_is_unknown_is_none
                the_uuid_stays_and_the_epoch_grows
            }
            query {
                s9_2_kinds_are_joined_and_names_within_a_kind_are_not
                s9_2_every_kind_leads_to_the_same_pages
                s9_2_tags_follow_their_piece_through_all_states
                s9_2_a_page_of_little_effort_says_where_it_goes_on
                s9_2_pages_of_a_scan_agree_while_work_is_pruned_and_stored
                s9_2_pages_go_backwards_too
                s9_1_a_query_is_cancelled_page_by_page
                s9_1_a_cancelled_page_leaves_out_what_came_later
                s9_1_a_cancel_of_a_query_releases_what_stands_behind
                s4_7_a_cancel_of_a_query_cancels_what_waits_for_it
                s4_3_an_update_brings_tags_of_its_own
            }
            model {
                i5_i7_i8_i15_random_verbs_agree_with_the_model
            }
        }
    };
}

macro_rules! all {
    (() $($file:ident { $($case:ident)* })*) => {
        &[$($((concat!(stringify!($file), "::", stringify!($case)), $file::$case as Case),)*)*]
    };
}

const ALL: &[(&str, Case)] = __conformance_cases!([all]);

/// Makes one `#[test]` of every case for the store that `$make` makes.
#[macro_export]
macro_rules! conformance_suite {
    ($make:expr) => {
        $crate::__conformance_cases! { [$crate::__conformance_tests] $make }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    (($make:expr) $($file:ident { $($case:ident)* })*) => {
        $(mod $file {
            #[allow(unused_imports, reason = "the expression that makes a store names what is in scope outside")]
            use super::*;
            $(#[test]
            fn $case() {
                $crate::conformance::run_case(concat!(stringify!($file), "::", stringify!($case)), &$make);
            })*
        })*
    };
}

/// Runs every case, one after the other.
pub fn run(make: Make<'_>) {
    for (name, _) in ALL {
        run_case(name, make);
    }
}

/// Runs one case by its name.
///
/// # Panics
/// If the store does not do what the case asks; or if there is no case of that name.
pub fn run_case(name: &str, make: Make<'_>) {
    let case = ALL.iter().find(|(listed, _)| *listed == name);
    let Some((_, case)) = case else { panic!("there is no case `{name}`") };
    let mut world = World::new(make());
    case(&mut world);
    world.check();
}

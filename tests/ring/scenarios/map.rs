//! Which of our tests check what those of liburing check that matter most here.
//!
//! [`WANTED`] names those of liburing, [`MAP`] has a row for each: what its program checks, checked by tests of ours, which
//! go by other ways where this crate does.

use std::collections::BTreeSet;

use super::named::all_exist;

/// A test of liburing, and ours: each a path inside of `tests`, file first.
type Row = (&'static str, &'static [&'static str]);

#[rustfmt::skip]
const MAP: &[Row] = &[
    // Set-up and system calls.
    ("io_uring_setup", &[
        "ring/scenarios/setup.rs::set_up_refuses_what_it_does_not_know_and_a_ring_is_no_stream",
        "ring/setup_sets.rs::every_flag_and_every_pair_is_taken_or_refused_as_by_the_kernel",
    ]),
    ("io_uring_enter", &["ring/scenarios/setup.rs::enter_refuses_what_is_no_ring_and_waits_for_a_full_queue"]),
    ("io_uring_register", &[
        "ring/scenarios/setup.rs::register_refuses_what_is_no_ring_and_what_it_does_not_know",
        "uring/files_table.rs::tables_that_make_no_sense_are_refused",
        "uring/files_table.rs::more_files_than_descriptors_are_allowed_name_the_limit",
        "uring/buffers.rs::sets_that_make_no_sense_are_refused",
        "uring/buffers.rs::a_second_set_is_refused_until_the_first_is_gone",
        "uring/buffers.rs::a_limit_on_pinned_memory_is_named",
    ]),
    ("probe", &["ring/scenarios/setup.rs::a_probe_of_the_rings_is_what_the_kernel_tells"]),
    ("ring-query", &["ring/scenarios/setup.rs::a_query_tells_what_a_probe_of_the_rings_says"]),
    ("cq-size", &[
        "uring/setup.rs::sizes_of_the_completion_ring_out_of_range_are_refused_with_the_range",
        "uring/setup.rs::sizes_are_rounded_up",
    ]),
    ("init-mem", &["ring/scenarios/setup.rs::a_ring_in_memory_of_the_callers_stays_inside_what_was_computed"]),
    ("reg-reg-ring", &[
        "ring/scenarios/setup.rs::a_ring_without_a_descriptor_registers_what_one_with_a_descriptor_does",
    ]),
    ("single-issuer", &[
        "ring/scenarios/setup.rs::a_ring_for_one_issuer_is_that_of_the_thread_that_first_submits",
        "ring/scenarios/setup.rs::a_ring_with_a_polling_thread_takes_requests_of_any_thread_though_it_has_one_issuer",
    ]),
    ("resize-rings", &[
        "ring/control/resize.rs::queues_grow_and_shrink_to_what_is_asked_for",
        "ring/control/resize.rs::what_waits_in_the_queues_goes_along",
        "ring/control/resize.rs::what_the_kernel_holds_back_comes_after_all",
        "ring/control/resize.rs::requests_in_flight_go_on",
        "ring/control/resize_refusals.rs::a_ring_without_deferred_work_keeps_its_size",
        "ring/control/resize_refusals.rs::what_has_no_room_for_what_waits_is_refused",
        "ring/control/resize_refusals.rs::a_ring_whose_new_queues_cannot_be_mapped_says_so_ever_after_and_ends",
    ]),
    // The queues.
    ("nop", &[
        "ring/ops/ring.rs::nothing_succeeds_and_has_the_result_that_it_is_told",
        "ring/entries.rs::large_entries_and_large_completions_go_through",
        "ring/scenarios/links.rs::a_thousand_drained_requests_come_one_after_the_other",
    ]),
    ("sq-full", &["ring/entries.rs::a_ring_takes_as_many_requests_as_it_has_places_and_gives_the_next_one_back"]),
    ("cq-full", &[
        "ring/scenarios/queues.rs::a_full_queue_of_completions_keeps_what_came_first_and_the_rest_follows_in_order",
    ]),
    ("cq-overflow", &[
        "ring/scenarios/queues.rs::reads_that_overflow_the_queue_all_come_with_their_content",
        "ring/entries.rs::completions_beyond_the_queue_are_let_in_as_room_is_made",
        "uring/rules/overflow.rs::polls_that_overflow_when_they_fire_all_come",
    ]),
    ("cq-peek-batch", &["ring/scenarios/queues.rs::a_look_at_a_batch_takes_only_what_is_taken"]),
    ("nop32", &[
        "ring/entries.rs::large_entries_and_large_completions_go_through",
        "ring/ops/ring.rs::nothing_completes_with_32_bytes",
    ]),
    ("skip-cqe", &[
        "ring/scenarios/queues.rs::a_silent_chain_that_succeeds_says_what_its_loud_ones_say",
        "ring/scenarios/queues.rs::a_silent_chain_that_fails_says_where_and_only_there",
        "ring/scenarios/queues.rs::a_hard_chain_says_all_but_what_is_silent_and_succeeds",
        "ring/scenarios/queues.rs::a_silent_time_limit_that_is_up_does_not_say_so",
    ]),
    ("drop-submit", &["ring/scenarios/queues.rs::refused_requests_do_not_end_a_submit"]),
    ("submit-reuse", &[
        "ring/scenarios/queues.rs::an_array_of_iovecs_is_read_by_the_submit_also_for_a_worker",
        "uring/rules/slots.rs::iovecs_of_a_vector_may_go_right_after_add",
    ]),
    ("submit-and-wait", &["ring/scenarios/queues.rs::a_timed_wait_that_submits_waits_its_time_once"]),
    ("b5837bd5311d", &["ring/scenarios/queues.rs::a_wait_for_two_is_not_ended_by_one"]),
    // Waits.
    ("timeout", &[
        "ring/scenarios/waiting.rs::time_limits_complete_in_the_order_of_their_times",
        "ring/scenarios/waiting.rs::counts_of_time_limits_are_reached_in_their_order",
        "ring/scenarios/waiting.rs::a_time_limit_that_the_kernel_cannot_count_is_refused",
        "ring/ops/timeout.rs::a_time_limit_is_up_by_every_clock",
        "ring/ops/timeout.rs::a_time_limit_ends_after_so_many_completions",
        "ring/ops/timeout.rs::a_multishot_time_limit_starts_as_often_as_it_is_told",
        "ring/ops/timeout.rs::a_time_limit_is_removed_and_changed",
        "ring/ops/timeout.rs::a_time_that_is_up_breaks_a_chain_unless_it_is_a_success",
        "ring/ends.rs::a_drop_cancels_what_waits",
        "ring/ops/timeout.rs::a_linked_time_limit_is_changed",
    ]),
    ("timeout-new", &[
        "ring/scenarios/waiting.rs::a_timed_wait_ends_by_a_completion_or_by_its_time_also_with_a_polling_thread",
        "ring/scenarios/waiting.rs::a_timed_wait_of_one_thread_is_ended_by_what_another_submits",
    ]),
    ("min-timeout", &[
        "ring/scenarios/waiting.rs::a_minimum_wait_ends_at_once_when_all_are_there_and_is_no_more_than_the_time",
        "ring/waits.rs::a_minimum_wait_ends_with_the_first_completion_once_it_is_over",
    ]),
    ("reg-wait", &[
        "ring/control/waits.rs::each_has_a_timeout_of_its_own",
        "ring/control/waits.rs::one_that_was_not_set_has_no_limits",
        "ring/control/waits.rs::a_wait_of_another_ring_is_refused",
        "ring/control/regions.rs::waits_that_a_ring_cannot_have_are_refused_and_it_works_on",
        "ring/control/regions.rs::a_region_that_is_not_whole_pages_of_memory_is_refused",
        "ring/control/regions.rs::a_ring_has_one_region",
    ]),
    ("defer-taskrun", &[
        "ring/scenarios/waiting.rs::deferred_work_is_done_in_the_order_that_a_drain_asks_for",
        "ring/scenarios/waiting.rs::deferred_work_is_done_by_a_look_and_not_before",
        "ring/scenarios/events.rs::a_counter_that_is_silent_for_a_time_is_told_of_nothing_that_comes_then",
        "ring/scenarios/waiting.rs::a_ring_with_deferred_work_outlives_the_thread_that_it_is_for",
        "uring/deferred.rs::everything_works_that_works_on_other_rings",
        "uring/deferred.rs::a_ring_whose_thread_has_ended_is_of_use_to_nobody_and_can_be_dropped",
    ]),
    ("defer-tw-timeout", &[
        "ring/scenarios/waiting.rs::a_timed_wait_for_more_than_comes_does_the_deferred_work_of_what_came",
    ]),
    // Polling.
    ("sqpoll-sleep", &["ring/setup.rs::a_polling_thread_takes_requests_and_is_woken_when_it_sleeps"]),
    ("sqwait", &["ring/scenarios/polling.rs::a_wait_for_space_leaves_space"]),
    ("sqpoll-exit-hang", &[
        "ring/scenarios/polling.rs::a_polled_ring_that_polls_itself_can_be_dropped",
        "ring/scenarios/polling.rs::a_process_that_ends_with_a_polled_ring_that_polls_itself_ends",
    ]),
    ("iopoll", &["ring/scenarios/polling.rs::polled_reads_come_or_are_refused_by_what_cannot_be_polled"]),
    ("iopoll-overflow", &["ring/scenarios/polling.rs::polled_reads_that_overflow_the_queue_all_come"]),
    // Chains.
    ("link", &[
        "ring/scenarios/links.rs::a_chain_completes_in_its_order_and_others_beside_it",
        "ring/scenarios/links.rs::a_failure_cancels_the_rest_of_its_own_chain",
        "ring/scenarios/links.rs::a_hard_chain_goes_on_after_a_failure_until_a_soft_link_fails",
        "ring/scenarios/links.rs::a_short_read_breaks_a_chain",
        "ring/scenarios/links.rs::a_chain_ends_with_its_submit",
    ]),
    ("link-timeout", &[
        "ring/scenarios/links.rs::a_linked_time_limit_needs_a_request_before_it",
        "ring/scenarios/links.rs::a_linked_time_limit_that_is_not_needed_is_cancelled_and_the_chain_goes_on",
        "ring/scenarios/links.rs::a_linked_time_limit_that_is_up_cancels_its_request_and_what_follows",
        "ring/scenarios/links.rs::each_request_of_a_chain_has_its_own_time_limit",
        "ring/ops/timeout.rs::a_linked_time_limit_cancels_what_takes_longer",
        "ring/ops/timeout.rs::a_linked_time_limit_is_changed",
    ]),
    ("link_drain", &[
        "ring/scenarios/links.rs::a_drained_request_comes_after_all_before_it_and_before_all_after_it",
        "ring/scenarios/links.rs::a_drain_inside_a_chain_holds_back_the_whole_chain",
    ]),
    ("defer", &[
        "ring/scenarios/links.rs::a_thousand_drained_requests_come_one_after_the_other",
        "ring/scenarios/links.rs::a_chain_of_what_a_polled_ring_does_not_do_keeps_its_names",
        "ring/scenarios/links.rs::drained_time_limits_with_limits_of_their_own_all_come",
    ]),
    ("submit-link-fail", &[
        "ring/scenarios/links.rs::a_request_that_is_refused_cancels_its_chain_before_any_of_it_starts",
    ]),
    // Cancelling.
    ("io-cancel", &[
        "ring/scenarios/cancel.rs::reads_of_a_disk_end_whether_one_or_all_are_cancelled",
        "uring/late.rs::cancelling_a_held_read_does_not_end_it",
    ]),
    ("cancel-race", &["ring/scenarios/cancel.rs::a_request_that_ends_while_it_is_cancelled_ends_once"]),
    ("sync-cancel", &[
        "ring/scenarios/cancel.rs::cancelling_by_a_call_waits_until_what_it_cancels_has_ended",
        "ring/register/cancel.rs::a_request_that_runs_is_waited_for_only_so_long",
        "ring/register/cancel.rs::requests_are_cancelled_by_operation",
    ]),
    ("poll-cancel-all", &[
        "ring/scenarios/cancel.rs::all_polls_of_one_file_are_cancelled_and_counted_and_those_of_another_stay",
    ]),
    // Registered files and buffers.
    ("file-register", &[
        "ring/register/files.rs::a_table_may_have_empty_places_and_an_update_leaves_some_as_they_are",
        "ring/register/files.rs::a_sparse_table_is_filled_by_updates_on_every_kernel",
        "ring/register/files.rs::the_kernel_chooses_places_of_the_range_that_it_was_given",
        "uring/files_table.rs::files_are_named_by_index_and_need_no_descriptor",
        "uring/files_table.rs::a_second_table_is_refused_until_the_first_is_gone",
        "uring/files_table.rs::an_update_replaces_and_empties_places",
        "uring/files_table.rs::an_update_out_of_range_or_with_a_bad_file_is_refused",
        "uring/files_table.rs::a_sparse_table_is_empty_until_it_is_filled",
        "ring/scenarios/resources.rs::a_table_is_not_left_while_a_request_uses_its_file",
    ]),
    ("file-update", &[
        "ring/ops/direct.rs::places_are_filled_left_and_emptied",
        "ring/scenarios/resources.rs::a_request_names_the_file_that_is_in_its_place_when_it_starts",
        "uring/files_table.rs::a_request_in_flight_keeps_its_file_when_the_place_is_emptied",
    ]),
    ("rsrc_tags", &[
        "ring/scenarios/resources.rs::a_tag_comes_as_a_completion_once_its_file_is_gone",
        "ring/scenarios/resources.rs::a_tag_comes_as_a_completion_once_its_buffer_is_gone",
        "ring/scenarios/resources.rs::tags_of_a_ring_that_is_dropped_keep_nothing",
    ]),
    ("fixed-seg", &["ring/scenarios/resources.rs::a_registered_buffer_that_starts_anywhere_is_read_into_anywhere"]),
    ("vec-regbuf", &[
        "ring/scenarios/resources.rs::many_parts_of_a_registered_buffer_are_written_and_read",
        "ring/ops/rw.rs::vectored_transfers_of_a_registered_buffer_stay_inside_it",
    ]),
    // Provided buffers.
    ("buf-ring", &[
        "ring/scenarios/provided.rs::groups_of_one_buffer_and_of_as_many_as_can_be_are_used_up_and_filled_again",
        "ring/scenarios/provided.rs::groups_in_memory_of_the_kernels_are_used_up_and_filled_again",
        "ring/scenarios/provided.rs::a_ring_of_buffers_may_fill_its_page_and_lies_nowhere_else",
        "ring/provided/rings.rs::a_group_is_registered_once_and_unregistered_once",
        "ring/provided/rings.rs::a_ring_of_buffers_is_refused_with_a_reason",
        "ring/provided/classic.rs::a_group_is_of_one_kind",
    ]),
    ("ringbuf-read", &["ring/scenarios/provided.rs::reads_of_a_file_tell_which_buffer_has_which_block"]),
    // Files.
    ("read-write", &[
        "ring/scenarios/files.rs::blocks_of_a_file_go_there_and_back_in_every_form",
        "ring/scenarios/files.rs::blocks_of_a_file_go_there_and_back_directly_in_every_form",
        "uring/faults.rs::a_write_beyond_the_limit_of_file_sizes_is_short_then_refused",
        "uring/flags.rs::append_goes_to_the_end_whatever_the_offset",
        "ring/ops/select.rs::a_read_tells_which_provided_buffer_it_took",
        "ring/provided/classic.rs::buffers_are_provided_used_and_provided_again",
        "ring/provided/classic.rs::buffers_are_removed",
    ]),
    ("file-verify", &["ring/scenarios/files.rs::a_file_read_in_pieces_of_all_sizes_is_the_file"]),
    ("short-read", &["uring/faults.rs::reads_at_and_past_the_end_are_short_or_empty"]),
    ("fpos", &[
        "ring/scenarios/files.rs::reads_at_the_position_of_a_file_go_on_where_the_last_one_ended",
        "ring/scenarios/files.rs::writes_at_the_position_of_a_file_lie_one_behind_the_other",
    ]),
    ("fsync", &[
        "ring/ops/sync.rs::fsync_takes_every_form_and_leaves_the_content",
        "ring/ops/sync.rs::sync_file_range_takes_its_flags",
        "ring/scenarios/files.rs::a_drained_fsync_comes_after_the_writes_before_it",
    ]),
    ("fallocate", &[
        "ring/ops/file.rs::fallocate_allocates_and_frees",
        "ring/scenarios/files.rs::space_beyond_the_limit_of_file_sizes_is_refused",
        "ring/scenarios/files.rs::an_fsync_in_a_chain_follows_the_space_that_was_allocated",
    ]),
    ("eeed8b54e0df", &[
        "uring/flags.rs::nowait_fails_rather_than_wait",
        "uring/flags.rs::nowait_reads_what_is_cached",
    ]),
    // Being told.
    ("poll", &[
        "ring/scenarios/events.rs::a_poll_completes_when_another_process_writes",
        "ring/ops/poll.rs::a_poll_tells_what_a_file_is_ready_for",
    ]),
    ("eventfd", &[
        "ring/scenarios/events.rs::a_counter_is_told_of_completions_as_long_as_it_is_registered",
        "ring/scenarios/events.rs::a_counter_of_what_completes_later_is_not_told_of_what_completes_at_once",
        "ring/scenarios/events.rs::a_counter_that_is_polled_by_its_own_ring_does_not_tell_for_ever",
    ]),
    ("eventfd-disable", &[
        "ring/scenarios/events.rs::a_counter_that_is_silent_for_a_time_is_told_of_nothing_that_comes_then",
        "ring/register/event.rs::an_eventfd_is_not_told_while_it_is_disabled",
    ]),
    // Ends. A child of a fork shares no ring here, which is meant: liburing lets it.
    ("across-fork", &[
        "ring/ends.rs::a_child_of_a_fork_neither_submits_nor_takes",
        "uring/fork.rs::a_child_that_drops_the_context_leaves_the_parents_requests_alone",
        "uring/fork.rs::a_forked_child_can_make_its_own_context",
    ]),
    ("exit-no-cleanup", &["ring/scenarios/lifetimes.rs::a_process_that_cleans_up_nothing_ends"]),
    ("read-before-exit", &["ring/scenarios/lifetimes.rs::reads_of_a_thread_that_has_ended_do_not_keep_the_ring"]),
    ("thread-exit", &[
        "ring/scenarios/lifetimes.rs::writes_of_a_thread_that_has_ended_are_done",
        "uring/split_ends.rs::the_thread_that_submitted_may_sleep_or_be_gone",
    ]),
    ("teardowns", &["ring/scenarios/lifetimes.rs::rings_are_made_and_dropped_in_many_threads_at_once"]),
    // Others.
    ("msg-ring", &[
        "ring/scenarios/messages.rs::a_ring_sends_messages_to_itself",
        "ring/scenarios/messages.rs::a_message_ends_the_wait_of_a_ring_in_another_thread",
        "ring/scenarios/messages.rs::a_message_to_what_is_no_ring_is_refused_also_if_that_is_registered",
        "ring/scenarios/messages.rs::a_message_to_a_disabled_ring_is_refused_or_is_there_once_it_is_enabled",
        "ring/control/message.rs::a_message_needs_no_ring_of_the_senders",
        "ring/ops/ring.rs::a_message_arrives_in_another_ring",
        "ring/ops/ring.rs::a_message_that_says_more_is_not_counted_as_the_end_of_a_request",
        "ring/ops/ring.rs::a_registered_file_is_sent_to_another_ring",
    ]),
    ("register-restrictions", &[
        "ring/register/restrictions.rs::a_disabled_ring_is_restricted_once_and_from_when_it_is_enabled_on",
        "ring/register/restrictions.rs::a_ring_that_is_enabled_is_not_restricted_any_more",
        "ring/register/restrictions.rs::flags_of_requests_are_allowed_and_required",
        "uring/restricted.rs::only_allowed_operations_are_done_and_the_others_hold_up_nothing",
        "uring/restricted.rs::registering_is_denied_unless_allowed",
        "uring/restricted.rs::fixed_files_can_be_demanded",
        "ring/setup.rs::a_disabled_ring_takes_requests_once_it_is_enabled",
    ]),
];

/// The tests of liburing that matter most for a ring that does what this one does, by its chapters.
const WANTED: &str = "
    io_uring_setup io_uring_enter io_uring_register probe ring-query cq-size init-mem reg-reg-ring single-issuer
    resize-rings
    nop sq-full cq-full cq-overflow cq-peek-batch nop32 skip-cqe drop-submit submit-reuse submit-and-wait b5837bd5311d
    timeout timeout-new min-timeout reg-wait defer-taskrun defer-tw-timeout
    sqpoll-sleep sqwait sqpoll-exit-hang
    iopoll iopoll-overflow
    link link-timeout link_drain defer submit-link-fail
    io-cancel cancel-race sync-cancel poll-cancel-all
    file-register file-update rsrc_tags
    fixed-seg vec-regbuf
    buf-ring ringbuf-read
    read-write file-verify short-read fpos fsync fallocate eeed8b54e0df
    poll
    eventfd eventfd-disable
    across-fork exit-no-cleanup read-before-exit thread-exit teardowns
    msg-ring
    register-restrictions";

#[test]
fn every_test_that_the_map_names_exists() {
    all_exist(tests::test_name!(), MAP.iter().flat_map(|(_, ours)| ours.iter().copied()));
}

#[test]
fn every_scenario_that_matters_is_in_the_map() {
    let mapped: BTreeSet<_> = MAP.iter().map(|(theirs, _)| *theirs).collect();
    let wanted: BTreeSet<_> = WANTED.split_whitespace().collect();
    assert_eq!(mapped.len(), MAP.len(), "each has one row");
    assert!(MAP.iter().all(|(_, ours)| !ours.is_empty()));
    assert_eq!(mapped, wanted);
}

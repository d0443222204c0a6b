//! Each test runs its closure once for every order in which its threads can meet, or, where it says so, for
//! those with a bounded number of switches.

use loom::{future::block_on, model, sync::Arc, thread};

use crate::{
    bus::Bus,
    config::SecondPublisher,
    media::frame::Frame,
    publisher::PublisherSlot,
    ref_counted_map::{MapValue, RefCountedMap},
    source_gate::{SourceGate, SourceSwitch},
};

fn frame() -> Frame {
    Frame::saying("x")
}

#[test]
fn two_who_publish_at_once_are_shown_in_the_order_of_their_numbers() {
    model(|| {
        let bus = Arc::new(Bus::default());
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || {
                let mut last = 0;
                for _ in 0..2 {
                    let seq = bus.newest().map_or(0, |newest| newest.seq);
                    assert!(seq >= last, "{seq} behind {last}");
                    last = seq;
                }
            })
        };
        let other = {
            let bus = bus.clone();
            thread::spawn(move || bus.publish(frame()))
        };
        bus.publish(frame());
        other.join().unwrap();
        reader.join().unwrap();
        assert_eq!(bus.newest().unwrap().seq, 2, "the newest is the last that was numbered");
    });
}

/// Three threads that all take the lock several times: so many switches are tried that no thread asked for.
const MOST_PREEMPTIONS: usize = 3;

#[test]
fn a_reader_always_learns_that_the_bus_is_closed_and_sees_nothing_behind_it() {
    let mut bounded = loom::model::Builder::new();
    bounded.preemption_bound = Some(MOST_PREEMPTIONS);
    bounded.check(|| {
        let bus = Arc::new(Bus::default());
        let publisher = {
            let bus = bus.clone();
            thread::spawn(move || bus.publish(frame()))
        };
        let mut reader = bus.subscribe();
        let closing = {
            let bus = bus.clone();
            thread::spawn(move || bus.close())
        };
        // One that was never woken would never end.
        block_on(async {
            loop {
                reader.changed().await.unwrap();
                if reader.borrow_and_update().closed {
                    break;
                }
            }
        });
        closing.join().unwrap();
        publisher.join().unwrap();
        assert!(bus.current().closed && bus.newest().is_none());
    });
}

#[test]
fn what_was_drawn_about_the_past_never_covers_a_frame() {
    model(|| {
        let bus = Arc::new(Bus::default());
        let source = {
            let bus = bus.clone();
            thread::spawn(move || bus.publish(Frame::saying("picture")))
        };
        bus.publish_if_newest_is(0, Frame::saying("placeholder"));
        source.join().unwrap();
        assert_eq!(bus.newest().unwrap().frame.word(), "picture");
    });
}

#[test]
fn a_repeat_is_of_the_newest_frame_or_of_none() {
    model(|| {
        let bus = Arc::new(Bus::default());
        bus.publish(frame());
        let beat = {
            let bus = bus.clone();
            thread::spawn(move || bus.repeat(1))
        };
        bus.publish(frame());
        beat.join().unwrap();
        let current = bus.current();
        assert_eq!((current.frame.unwrap().seq, current.repeat), (2, 0));
    });
}

#[test]
fn once_the_next_source_is_shown_the_one_before_never_is_again() {
    model(|| {
        let switch = Arc::new(SourceSwitch::default());
        switch.switch_to(1);
        let gate = |number| SourceGate { switch: switch.clone(), number };
        assert!(gate(1).is_open());
        let (first, second) = (gate(1), gate(2));
        let switching = {
            let switch = switch.clone();
            thread::spawn(move || switch.switch_to(2))
        };
        let old = thread::spawn(move || (first.is_open(), first.is_open()));
        // It may be open already.
        second.is_open();
        let (before, after) = old.join().unwrap();
        assert!(before || !after, "it was shown again");
        switching.join().unwrap();
        assert!(second.is_open(), "its turn has come");
        assert!(!gate(1).is_open());
    });
}

#[test]
fn of_two_publishers_one_stays_and_the_other_learns_of_it() {
    model(|| {
        let turns = PublisherSlot::default();
        let first = turns.acquire(SecondPublisher::Replaces).unwrap();
        let second = {
            let turns = turns.clone();
            thread::spawn(move || turns.acquire(SecondPublisher::Replaces).unwrap())
        };
        block_on(first.replaced());
        // It leaves behind the other's coming, and takes nothing from it.
        drop(first);
        let second = second.join().unwrap();
        assert!(turns.is_taken());
        drop(second);
        assert!(!turns.is_taken());
    });
}

#[test]
fn of_two_who_come_at_once_where_the_second_is_refused_one_is() {
    model(|| {
        let turns = PublisherSlot::default();
        let other = {
            let turns = turns.clone();
            thread::spawn(move || turns.acquire(SecondPublisher::Refused).ok())
        };
        let mine = turns.acquire(SecondPublisher::Refused).ok();
        let other = other.join().unwrap();
        assert!(mine.is_some() != other.is_some(), "exactly one");
        drop((mine, other));
        assert!(!turns.is_taken());
    });
}

#[test]
fn a_publisher_that_is_sent_away_always_learns_of_it() {
    model(|| {
        let turns = PublisherSlot::default();
        let first = turns.acquire(SecondPublisher::Refused).unwrap();
        let away = {
            let turns = turns.clone();
            thread::spawn(move || turns.evict())
        };
        block_on(first.replaced());
        away.join().unwrap();
        drop(first);
        assert!(!turns.is_taken());
    });
}

/// A rendition: made or not.
#[derive(Debug)]
struct RenditionEntry(bool);

impl MapValue for RenditionEntry {
    fn is_managed(&self) -> bool {
        self.0
    }
}

#[test]
fn a_place_is_shared_counted_and_gone_with_its_last_holder() {
    model(|| {
        let places = RefCountedMap::<u8, RenditionEntry>::default();
        let hold = |places: &RefCountedMap<u8, RenditionEntry>| {
            places.acquire(1, 1, |_| true, |_| true, || RenditionEntry(false)).expect("there is room")
        };
        let other = {
            let places = places.clone();
            thread::spawn(move || {
                drop(places.acquire(1, 1, |_| true, |_| true, || RenditionEntry(false)).expect("there is room"))
            })
        };
        let mine = hold(&places);
        assert!(Arc::ptr_eq(&places.lock()[&1], mine.entry()), "what is held is there");
        drop(mine);
        other.join().unwrap();
        assert!(places.lock().is_empty());
    });
}

#[test]
fn nobody_holds_a_place_that_was_given_up() {
    model(|| {
        let places = RefCountedMap::<u8, RenditionEntry>::default();
        let first = places.acquire(1, 1, |_| true, |_| true, || RenditionEntry(true)).unwrap();
        let place = first.entry().clone();
        let keeper = {
            let (places, place) = (places.clone(), place.clone());
            thread::spawn(move || places.remove_unused(&1, &place))
        };
        let leaving = thread::spawn(move || drop(first));
        let next =
            places.acquire(1, 1, |_| true, |_| true, || RenditionEntry(true)).expect("it was given up, or is joined");
        let given_up = keeper.join().unwrap();
        leaving.join().unwrap();
        assert!(Arc::ptr_eq(&places.lock()[&1], next.entry()), "what is held is there");
        assert_eq!(given_up, !Arc::ptr_eq(&place, next.entry()), "it was joined, or another was made");
    });
}

#[test]
fn there_are_never_more_places_than_allowed() {
    model(|| {
        let places = RefCountedMap::<u8, RenditionEntry>::default();
        let other = {
            let places = places.clone();
            thread::spawn(move || places.acquire(2, 1, |_| true, |_| true, || RenditionEntry(true)).is_some())
        };
        let mine = places.acquire(1, 1, |_| true, |_| true, || RenditionEntry(true)).is_some();
        let other = other.join().unwrap();
        assert!(mine != other, "room for one");
        assert_eq!(places.lock().len(), 1);
    });
}

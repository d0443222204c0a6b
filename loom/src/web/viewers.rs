//! A frame's way from the bus into a viewer's socket: by the fan-out's thread, by the connection's own task,
//! or by both.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use loom::{future::block_on, model::Builder, thread};
use tokio::io::AsyncWrite;

use super::server::transport::{
    ViewerSocket,
    outbox::{BusBinding, Fill, PartProducer, ProducerGuard},
    socket::Socket,
    write_queue::WriteQueue,
};
use crate::{
    bus::{Bus, Current},
    media::{frame::Frame, multipart::writer::Framing},
    mocks::tasks::look_at_the_second_first,
    registry::RenditionGuard,
    stream::{StreamHandle, ViewerGuard, run},
    viewer::FrameCursor,
};

/// Number of preemptions that are tried where a viewer stays: two of them take minutes.
const OF_VIEWERS_THAT_STAY: usize = 1;

/// Number of preemptions that are tried where it does not stay for long.
const OF_OTHERS: usize = 2;

fn bounded(most_preemptions: usize, model: impl Fn() + Sync + Send + Copy + 'static) {
    for second_first in [false, true] {
        look_at_the_second_first(second_first);
        let mut bounded = Builder::new();
        bounded.preemption_bound = Some(most_preemptions);
        bounded.check(model);
    }
}

/// The bytes that mark the end of the stream.
const END: &[u8] = b".";

/// The crate's own viewer, as the crate's producer uses it, without heads and delimiters.
#[derive(Debug)]
struct ViewerProducer(FrameCursor, bool, Arc<()>);

impl ViewerProducer {
    fn of(bus: &Arc<Bus>) -> Box<Self> {
        Box::new(Self(FrameCursor::new(ViewerGuard(StreamHandle(bus.clone()))), false, Arc::default()))
    }
}

impl PartProducer for ViewerProducer {
    fn fill(&mut self, current: &Current, pieces: &mut WriteQueue) -> Fill {
        if self.1 {
            return Fill::Done;
        }
        if current.closed {
            self.1 = true;
            pieces.put([bytes::Bytes::from_static(END)]);
        } else if let Some((frame, _)) = self.0.next(current) {
            pieces.put_part(frame, Framing::Raw);
        } else {
            return Fill::Pending;
        }
        Fill::Data
    }

    fn has_next(&self, current: &Current) -> bool {
        self.1 || current.closed || self.0.has_next(current)
    }

    fn move_to(&mut self, _: Option<RenditionGuard>) -> Option<RenditionGuard> {
        self.0.switch_to(None);
        None
    }
}

/// One poll of the connection's task, as actix-http does it: the body first, and then the socket is flushed.
fn poll(
    producer: &ProducerGuard,
    viewer_socket: &mut ViewerSocket<Socket>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let ended = producer.poll_ended(cx);
    let flushed = Pin::new(viewer_socket).poll_flush(cx).map(Result::unwrap);
    if flushed.is_ready() { ended } else { Poll::Pending }
}

fn viewer_socket(socket: &Socket) -> ViewerSocket<Socket> {
    ViewerSocket::new(socket.clone(), Duration::MAX)
}

/// A viewer that joins now, until the stream ends.
fn view(bus: &Arc<Bus>, socket: &Socket) {
    let mut viewer_socket = viewer_socket(socket);
    let producer = viewer_socket.outbox().attach(ViewerProducer::of(bus), bus, BusBinding::Fixed).unwrap();
    block_on(poll_fn(|cx| poll(&producer, &mut viewer_socket, cx)));
}

/// Whole frames of two equal letters, none behind a later one, and then the end.
fn assert_in_order(got: &[u8]) {
    let frames = got.strip_suffix(END).expect("the end comes last");
    assert_eq!(frames.len() % 2, 0, "a frame is torn: {got:?}");
    let mut last = 0;
    for frame in frames.chunks(2) {
        assert!(frame[0] == frame[1] && frame[0] >= last, "torn or from the past: {got:?}");
        last = frame[0];
    }
}

fn whatever_is_published_last_arrives(room: usize) {
    let bus = Arc::new(Bus::default());
    let socket = Socket::new(room);
    let fan_out = {
        let bus = bus.clone();
        thread::spawn(move || block_on(run(bus)))
    };
    let viewer = {
        let (bus, socket) = (bus.clone(), socket.clone());
        thread::spawn(move || view(&bus, &socket))
    };
    bus.publish(Frame::saying("11"));
    bus.publish(Frame::saying("22"));
    // One that was lost would never come.
    block_on(socket.read_until(|got| got.ends_with(b"22")));
    bus.close();
    let got = block_on(socket.read_until(|got| got.ends_with(END)));
    assert_in_order(&got);
    viewer.join().unwrap();
    fan_out.join().unwrap();
}

#[test]
fn a_viewer_that_takes_all_at_once_gets_the_newest_frame_whenever_it_joins() {
    bounded(OF_VIEWERS_THAT_STAY, || whatever_is_published_last_arrives(100));
}

#[test]
fn a_viewer_that_takes_half_a_frame_gets_the_other_half_and_the_newest_frame() {
    bounded(OF_VIEWERS_THAT_STAY, || whatever_is_published_last_arrives(1));
}

#[test]
fn a_viewer_that_takes_a_frame_and_a_half_gets_whole_ones() {
    bounded(OF_VIEWERS_THAT_STAY, || whatever_is_published_last_arrives(3));
}

/// Checks that frames of the previous bus are late: they must not come after the first frame of the next bus.
#[test]
fn a_viewer_that_is_moved_gets_what_the_next_bus_shows_and_nothing_of_the_one_before() {
    bounded(OF_OTHERS, || {
        let [before, next] = [Arc::new(Bus::default()), Arc::new(Bus::default())];
        let socket = Socket::new(usize::MAX);
        let [late, newer] = ["11", "22"].map(Frame::saying);
        next.publish(newer);
        let fan_out = {
            let before = before.clone();
            thread::spawn(move || block_on(run(before)))
        };
        let publisher = {
            let before = before.clone();
            thread::spawn(move || {
                before.publish(late);
                before.close();
            })
        };
        let mut viewer_socket = viewer_socket(&socket);
        let producer = viewer_socket
            .outbox()
            .attach(ViewerProducer::of(&before), &before, BusBinding::Switchable)
            .unwrap();
        producer.move_to(&next, None);
        // The frame and its repeat.
        block_on(poll_fn(|cx| {
            let ended = poll(&producer, &mut viewer_socket, cx);
            if socket.written().ends_with(b"2222") { Poll::Ready(()) } else { ended }
        }));
        publisher.join().unwrap();
        fan_out.join().unwrap();
        let got = socket.written();
        assert!(got.ends_with(b"2222"), "{got:?}");
        assert_in_order(&[&got, END].concat());
    });
}

/// Its connection is dropped with it: nothing more is written, and what it held is dropped.
#[test]
fn a_viewer_may_leave_while_it_is_being_shown_a_frame() {
    bounded(OF_OTHERS, || {
        let bus = Arc::new(Bus::default());
        let socket = Socket::new(1);
        let fan_out = {
            let bus = bus.clone();
            thread::spawn(move || block_on(run(bus)))
        };
        let mut viewer_socket = viewer_socket(&socket);
        let producer = ViewerProducer::of(&bus);
        let held = producer.2.clone();
        let producer = viewer_socket.outbox().attach(producer, &bus, BusBinding::Fixed).unwrap();
        let publisher = {
            let bus = bus.clone();
            thread::spawn(move || bus.publish(Frame::saying("11")))
        };
        // Once, and not until it has all.
        let mut polled = false;
        block_on(poll_fn(|cx| {
            let again = std::mem::replace(&mut polled, true);
            if again || poll(&producer, &mut viewer_socket, cx).is_ready() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
        drop((producer, viewer_socket));
        assert_eq!(
            (Arc::strong_count(&held), socket.holders()),
            (1, 1),
            "somebody holds what was the viewer's"
        );
        let got = socket.written();
        publisher.join().unwrap();
        bus.close();
        fan_out.join().unwrap();
        assert_eq!(socket.written(), got, "it was written to behind its end");
        assert_eq!(Arc::strong_count(&bus), 1, "somebody holds it still");
    });
}

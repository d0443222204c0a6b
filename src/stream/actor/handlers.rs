//! Handles the messages of a stream's actor.

use actix::prelude::*;
use tokio::sync::watch;

use super::{
    StreamActor,
    messages::{FirstFrame, Pause, Replace, Restart, Resume, Stop},
};
use crate::stream::{
    state::{Event, State},
    status::StreamStatus,
};

impl Actor for StreamActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let changes = futures_util::stream::unfold(self.demand.clone(), |mut demand| async move {
            demand.changed().await.ok()?;
            let wanted = *demand.borrow_and_update();
            Some((wanted, demand))
        });
        ctx.add_stream(changes);
        let before = self.status.borrow().state.clone();
        if before == State::Paused {
            // The actor that this one replaces was paused.
            self.handle_event(Event::Pause, ctx);
            return self.show_paused(ctx);
        }
        self.status.send_if_modified(|status| {
            *status = StreamStatus::default();
            before != State::Idle
        });
        let wanted = *self.demand.borrow();
        self.demand_changed(wanted, ctx);
    }
}

impl StreamHandler<usize> for StreamActor {
    fn handle(&mut self, wanted: usize, ctx: &mut Context<Self>) {
        self.demand_changed(wanted, ctx);
    }

    /// Handles the end of all handles: no viewer can join any more.
    fn finished(&mut self, ctx: &mut Context<Self>) {
        self.handle_event(Event::Stop, ctx);
        // The tasks that repeat and fan out frames end with it.
        self.bus().close();
        ctx.stop();
    }
}

impl Handler<FirstFrame> for StreamActor {
    type Result = ();

    fn handle(&mut self, FirstFrame(generation): FirstFrame, ctx: &mut Context<Self>) {
        if generation == self.failover.generation() {
            self.handle_event(Event::FirstFrame, ctx);
        } else {
            self.on_trial_frame(generation, ctx);
        }
    }
}

impl Handler<Stop> for StreamActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) -> Self::Result {
        self.handle_event(Event::Stop, ctx);
        Box::pin(async {}.into_actor(self).map(|(), _, ctx: &mut Context<Self>| ctx.stop()))
    }
}

impl Handler<Replace> for StreamActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Replace, ctx: &mut Context<Self>) -> Self::Result {
        // Readers of the status get that of the next actor from now on.
        let now = self.status.borrow().clone();
        self.status = watch::Sender::new(now);
        self.sources_report = watch::Sender::new(None);
        Handler::<Stop>::handle(self, Stop, ctx)
    }
}

impl Handler<Restart> for StreamActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Restart, ctx: &mut Context<Self>) -> Self::Result {
        self.handle_event(Event::Unwanted, ctx);
        self.after_stop(|this, ctx| {
            let wanted = *this.demand.borrow();
            this.demand_changed(wanted, ctx);
        })
    }
}

impl Handler<Pause> for StreamActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Pause, ctx: &mut Context<Self>) -> Self::Result {
        self.handle_event(Event::Pause, ctx);
        self.after_stop(|this, ctx| {
            this.show_paused(ctx);
        })
    }
}

impl Handler<Resume> for StreamActor {
    type Result = ();

    fn handle(&mut self, _: Resume, ctx: &mut Context<Self>) {
        self.handle_event(Event::Resume, ctx);
        let wanted = *self.demand.borrow();
        self.demand_changed(wanted, ctx);
    }
}

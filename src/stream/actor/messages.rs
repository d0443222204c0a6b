//! The messages of a stream's actor.

use actix::Message;

use crate::stream::pump::Generation;

/// Ends the stream for good; answered when its source is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(in crate::stream) struct Stop;

/// Stops the actor without a visible change, because another actor continues the stream.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(in crate::stream) struct Replace;

/// Ends the source and starts it again; answered when the old one is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(in crate::stream) struct Restart;

/// Stops the source until [`Resume`]; answered when it is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(in crate::stream) struct Pause;

/// Ends a pause.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(in crate::stream) struct Resume;

/// Reports the first frame of a run.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct FirstFrame(pub(super) Generation);

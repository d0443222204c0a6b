//! The bus, without its figures, its history and its pages.

#[path = "../../src/bus/audience.rs"]
mod audience;
#[path = "../../src/bus/current.rs"]
mod current;
#[path = "../../src/bus/headcount.rs"]
mod headcount;

pub use crate::stand_ins::{History, Pages, StreamStats, Way};
pub use audience::{Audience, Watcher};
pub use current::{Bus, Published, Showing};
pub use headcount::Headcount;

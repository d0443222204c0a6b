//! One viewer: which frame next, and when. No sockets.

//! Puts the rooms together: the only file that knows every room.

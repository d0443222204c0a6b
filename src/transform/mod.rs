//! Pixels: decode, draw, encode, in a bounded pool of CPU workers.

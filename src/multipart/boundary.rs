//! Finds the boundary in a `Content-Type` header.

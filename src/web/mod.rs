//! HTTP: routes, the viewer's transport, pages, errors.

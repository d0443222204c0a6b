//! Converts requests and answers between h2, which uses the types of http 1, and actix-http, which uses those
//! of http 0.2.
//!
//! Both versions have the same grammar; values that one has checked are checked again, since neither accepts
//! its types from the other.

use std::{net::SocketAddr, time::SystemTime};

use actix_http::{Payload, Request, Response, header::HeaderMap};
use actix_web::{
    body::BodySize,
    http::{Method, StatusCode, Uri, Version, header},
};

/// A part of a message that the other version of the crate does not accept.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConvertError {
    #[error("the method cannot be read")]
    Method,
    #[error("the address cannot be read: {0}")]
    Uri(String),
    #[error("the header {0} cannot be read")]
    Header(String),
    #[error("the status {0} cannot be written")]
    Status(u16),
}

/// Converts a request for the routes.
///
/// # Errors
/// [`ConvertError`] for what only h2 accepts: such a request is answered with 400.
pub(super) fn request(
    parts: &http::request::Parts,
    payload: Payload,
    peer: Option<SocketAddr>,
) -> Result<Request, ConvertError> {
    let method = Method::from_bytes(parts.method.as_str().as_bytes()).map_err(|_| ConvertError::Method)?;
    let uri = Uri::try_from(parts.uri.to_string());
    let uri = uri.map_err(|error| ConvertError::Uri(error.to_string()))?;
    let mut headers = HeaderMap::with_capacity(parts.headers.len());
    for (name, value) in &parts.headers {
        let unreadable = || ConvertError::Header(name.to_string());
        let name = header::HeaderName::from_bytes(name.as_ref()).map_err(|_| unreadable())?;
        let value = header::HeaderValue::from_bytes(value.as_bytes()).map_err(|_| unreadable())?;
        headers.append(name, value);
    }
    let mut request = Request::with_payload(payload);
    let head = request.head_mut();
    head.uri = uri;
    head.method = method;
    head.version = Version::HTTP_2;
    head.headers = headers;
    head.peer_addr = peer;
    Ok(request)
}

/// Converts the head of an answer, without what is specific to HTTP/1 (RFC 9113, section 8.2.2).
///
/// # Errors
/// [`ConvertError`] for what h2 does not accept; no handler makes such an answer.
pub(super) fn response_head<B>(
    response: &Response<B>,
    size: BodySize,
) -> Result<http::Response<()>, ConvertError> {
    const NOT_HERE: [header::HeaderName; 4] =
        [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::CONTENT_LENGTH];
    let mut head = http::Response::new(());
    let status = response.status().as_u16();
    *head.status_mut() = http::StatusCode::from_u16(status).map_err(|_| ConvertError::Status(status))?;
    *head.version_mut() = http::Version::HTTP_2;
    let headers = head.headers_mut();
    for (name, value) in response.headers().iter().filter(|(name, _)| !NOT_HERE.contains(name)) {
        let unwritable = || ConvertError::Header(name.to_string());
        let name = http::HeaderName::from_bytes(name.as_ref()).map_err(|_| unwritable())?;
        let value = http::HeaderValue::from_bytes(value.as_bytes()).map_err(|_| unwritable())?;
        headers.append(name, value);
    }
    if let BodySize::Sized(length) = size
        && response.status() != StatusCode::NO_CONTENT
    {
        headers.insert(http::header::CONTENT_LENGTH, length.into());
    }
    if !headers.contains_key(http::header::DATE) {
        let now = header::HttpDate::from(SystemTime::now()).to_string();
        headers.insert(http::header::DATE, now.try_into().expect("a date is ASCII"));
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(request: http::request::Builder) -> http::request::Parts {
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_request_keeps_its_method_address_and_headers_in_their_order() {
        let asked = http::Request::post("https://localhost:8443/streams/a%20b/frame?x=1&y=%C3%A9")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("x-bytes", http::HeaderValue::from_bytes(b"caf\xe9").unwrap());
        let request = request(&parts(asked), Payload::None, None).unwrap();
        assert_eq!((request.method(), request.path()), (&Method::POST, "/streams/a%20b/frame"));
        assert_eq!(request.uri().query(), Some("x=1&y=%C3%A9"));
        assert_eq!(request.uri().authority().unwrap(), "localhost:8443");
        let cookies: Vec<_> = request.head().headers.get_all("cookie").collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(request.head().headers.get("x-bytes").unwrap().as_bytes(), b"caf\xe9");
        assert_eq!(request.version(), Version::HTTP_2);
    }

    #[test]
    fn a_method_of_ones_own_is_a_method() {
        let asked = http::Request::builder().method("BREW").uri("/pot");
        assert_eq!(request(&parts(asked), Payload::None, None).unwrap().method().as_str(), "BREW");
    }

    #[test]
    fn an_answers_head_has_a_date_a_length_and_nothing_of_http_1() {
        let response = Response::build(StatusCode::OK)
            .insert_header((header::CONNECTION, "close"))
            .append_header((header::SET_COOKIE, "a=1"))
            .append_header((header::SET_COOKIE, "b=2"))
            .body("four");
        let head = response_head(&response, BodySize::Sized(4)).unwrap();
        assert_eq!(head.status(), 200);
        assert_eq!(head.headers().get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
        assert_eq!(
            (head.headers().get("connection"), &head.headers()["content-length"]),
            (None, &"4".parse().unwrap())
        );
        assert!(head.headers()["date"].to_str().unwrap().ends_with(" GMT"));
    }
}

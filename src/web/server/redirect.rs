//! The service that redirects plain HTTP to TLS.

use actix_http::{HttpService, Protocol, Request, Response, error::DispatchError};
use actix_service::{ServiceFactory, ServiceFactoryExt, fn_service};
use actix_web::{
    body::BoxBody,
    http::{StatusCode, header},
    web,
};
use tokio::net::TcpStream;
use url::Url;

use super::{
    connections::{Accepted, AnswerProtocol, limited},
    socket_options::tune_and_peer,
    timeouts::{DISCONNECT_TIMEOUT, HEAD_TIMEOUT, KEEP_ALIVE, STALL_TIMEOUT},
    transport::{Outbox, SharedSocket, ViewerSocket, expect},
};
use crate::web::{middleware::security_headers, state::WebState};

/// Redirects to TLS on `port`. Its answers contain neither pictures nor data.
pub(in crate::web) fn redirect_service(
    state: web::Data<WebState>,
    port: u16,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    // All of its connections are idle: it answers immediately.
    let socket = fn_service(async |Accepted { io, .. }: Accepted<TcpStream>| Ok::<_, DispatchError>(io));
    let redirecting = fixed_answer_service(move |request| {
        let mut answer = redirect(request, port);
        security_headers::no_sniffing(answer.headers_mut());
        answer
    });
    limited(state, AnswerProtocol::Http, socket.and_then(redirecting))
}

/// Returns a service that answers every request immediately, without state.
pub(super) fn fixed_answer_service(
    answer: impl Fn(&Request) -> Response<BoxBody> + Clone + 'static,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    let answer = move |request: Request| {
        let answer = answer.clone();
        if let Some(outbox) = request.conn_data::<Outbox>() {
            outbox.begin_request();
        }
        async move { Ok::<_, actix_http::Error>(answer(&request)) }
    };
    fn_service(async |socket: TcpStream| {
        let peer = tune_and_peer(&socket);
        Ok((ViewerSocket::new(SharedSocket::new(socket), STALL_TIMEOUT), Protocol::Http1, peer))
    })
    .and_then(
        HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .expect(expect)
            .on_connect_ext(|viewer_socket: &ViewerSocket<SharedSocket>, extensions| {
                extensions.insert(viewer_socket.outbox());
            })
            .finish(answer),
    )
}

fn redirect(request: &Request, port: u16) -> Response<BoxBody> {
    let host = request.head().headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let named = host.and_then(|host| Url::parse(&format!("http://{host}")).ok());
    let Some(mut to) = named.filter(|url| url.path() == "/" && url.query().is_none()) else {
        return Response::build(StatusCode::BAD_REQUEST)
            .body("the request names no host")
            .map_into_boxed_body();
    };
    // Neither fails for a URL with a host.
    let _ = to.set_scheme("https");
    let _ = to.set_port(Some(port));
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let location = format!("{}{path}", to.as_str().trim_end_matches('/'));
    Response::build(StatusCode::PERMANENT_REDIRECT)
        .insert_header((header::LOCATION, location))
        .body(())
        .map_into_boxed_body()
}

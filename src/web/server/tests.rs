//! Panics of services end their own connection and no other.

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener},
};

use actix_http::{Protocol, Response};
use actix_server::{Server, ServerHandle};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::{App, HttpRequest, HttpResponse, dev::AppConfig, web};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::yield_now,
};

use super::{
    redirect::fixed_answer_service,
    services::{Application, http_1, http_service},
    timeouts::STALL_TIMEOUT,
    transport::{SharedSocket, ViewerSocket},
};

async fn ask(io: &mut TcpStream, path: &str) -> String {
    io.write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let length = io.read(&mut answer).await.unwrap_or_default();
    String::from_utf8(answer[..length].to_vec()).unwrap()
}

/// All on one thread, so that what a panic takes along would be all of it.
#[actix::test]
async fn a_panic_while_a_request_is_answered_ends_its_connection_and_no_other() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let service = || {
        fixed_answer_service(|request| {
            assert_ne!(request.path(), "/injected", "by the test");
            Response::ok().map_into_boxed_body()
        })
    };
    let server = Server::build().workers(1).disable_signals().listen("test", listener, service).unwrap();
    let server = server.run();
    let handle = server.handle();
    actix_rt::spawn(server);
    let mut before = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut before, "/").await.starts_with("HTTP/1.1 200"));
    for _ in 0..10 {
        let mut other = TcpStream::connect(address).await.unwrap();
        assert_eq!(ask(&mut other, "/injected").await, "", "it is closed without an answer");
        assert!(ask(&mut before, "/").await.starts_with("HTTP/1.1 200"), "the other goes on");
    }
    let mut behind = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut behind, "/").await.starts_with("HTTP/1.1 200"), "new ones are served");
    handle.stop(false).await;
}

/// A handler, a body and a WebSocket that panic, beside one that does not.
fn panicking() -> impl Application {
    async fn handler() -> HttpResponse {
        panic!("injected by the test")
    }
    async fn body() -> HttpResponse {
        let pieces = stream::iter(0..2).then(async |n| {
            // Meanwhile the first chunk is sent: h2 drops unsent data of a stream that is reset.
            for _ in 0..n * 100 {
                yield_now().await;
            }
            assert_eq!(n, 0, "injected by the test");
            Ok::<_, Infallible>(Bytes::from_static(b"the first piece"))
        });
        HttpResponse::Ok().streaming(Box::pin(pieces))
    }
    async fn socket(request: HttpRequest, payload: web::Payload) -> HttpResponse {
        let (answer, session, messages) = actix_ws::handle(&request, payload).unwrap();
        actix_rt::spawn(async move {
            let _held = (session, messages);
            panic!("injected by the test");
        });
        answer
    }
    let app = App::new()
        .route("/", web::to(HttpResponse::Ok))
        .route("/handler", web::to(handler))
        .route("/body", web::to(body))
        .route("/socket", web::to(socket));
    map_config(app.into_factory().map_err(|error: actix_web::Error| error.error_response()), |()| {
        AppConfig::default()
    })
}

/// Serves those on one thread; the second address speaks HTTP/2, in the clear.
fn serve_panicking() -> (ServerHandle, [SocketAddr; 2]) {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = [0, 1].map(|n| listeners[n].local_addr().unwrap());
    let mut builder = Server::build().workers(1).disable_signals();
    for (listener, protocol) in listeners.into_iter().zip([Protocol::Http1, Protocol::Http2]) {
        let service = move || {
            fn_service(move |socket: TcpStream| async move {
                Ok((ViewerSocket::new(SharedSocket::new(socket), STALL_TIMEOUT), protocol, None))
            })
            .and_then(http_service(http_1(panicking()), panicking(), |_| {}))
        };
        builder = builder.listen("test", listener, service).unwrap();
    }
    let server = builder.run();
    let handle = server.handle();
    actix_rt::spawn(server);
    (handle, addresses)
}

/// Requests a path that panics. Returns what came before the connection's end.
async fn broken(address: SocketAddr, path: &str, more: &str) -> String {
    let mut io = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n{more}\r\n");
    io.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    io.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[actix::test]
async fn a_panic_of_a_handler_a_body_or_a_web_socket_ends_its_connection_and_no_other() {
    let (handle, [address, _]) = serve_panicking();
    let mut before = TcpStream::connect(address).await.unwrap();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for _ in 0..2 {
        assert!(ask(&mut before, "/").await.starts_with("HTTP/1.1 200"));
        assert_eq!(broken(address, "/handler", "").await, "");
        let cut_off = broken(address, "/body", "").await;
        assert!(!cut_off.ends_with("0\r\n\r\n"), "what is cut off does not look whole: {cut_off}");
        assert!(broken(address, "/socket", upgrade).await.starts_with("HTTP/1.1 101"));
        assert!(ask(&mut before, "/").await.starts_with("HTTP/1.1 200"), "the other goes on");
    }
    handle.stop(false).await;
}

#[actix::test]
async fn a_panic_over_http_2_ends_its_request_and_not_even_its_connection() {
    let (handle, [_, address]) = serve_panicking();
    let io = TcpStream::connect(address).await.unwrap();
    let (client, connection) = h2::client::handshake(io).await.unwrap();
    actix_rt::spawn(connection);
    let ask = async |path: &str| {
        let request = http::Request::get(format!("http://test{path}")).body(()).unwrap();
        let mut client = client.clone().ready().await.unwrap();
        client.send_request(request, true).unwrap().0.await
    };
    for _ in 0..5 {
        assert_eq!(ask("/").await.unwrap().status(), 200);
        assert!(ask("/handler").await.unwrap_err().is_reset());
        let mut body = ask("/body").await.unwrap().into_body();
        let first = body.data().await.unwrap().unwrap();
        assert_eq!(first, "the first piece");
        let last = body.data().await.expect("its end is told").unwrap_err();
        assert!(last.is_reset(), "what is cut off does not look whole: {last}");
    }
    assert_eq!(ask("/").await.unwrap().status(), 200);
    handle.stop(false).await;
}

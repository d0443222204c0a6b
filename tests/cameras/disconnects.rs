//! A camera that closes at each byte of its response, in an orderly way and with RST: whole frames are shown,
//! one that was cut off is counted, and nothing else happens.

use framecast::{bus::DropReason, source::camera::mjpeg::MjpegSource};
use testkit::fake_camera::{FakeCamera, Step};

use crate::source_runner::{HEAD, answer, body, config, limits, three, watch_source};

/// Returns the number of whole pictures in the first `len` bytes of the answer, and whether another has
/// begun.
fn whole_in(len: usize) -> (usize, bool) {
    let (mut end, mut begun) = (HEAD.len(), false);
    let mut whole = 0;
    for jpeg in three() {
        let part = body(std::slice::from_ref(&jpeg)).len();
        let start = end + part - 2 - jpeg.len();
        // A picture that only lacks its end marker gets it. A marker is two bytes.
        let data_end = start + jpeg.len() - 2;
        whole += usize::from(len >= data_end);
        begun |= len >= start + 2 && len < data_end;
        end += part;
    }
    (whole, begun)
}

async fn close_at_each_byte(step: fn() -> Option<Step>) {
    let whole = answer(HEAD, &body(&three()));
    let sent = whole.clone();
    // Connection `n` sends `n` bytes: a listener for each would use up the system's ports.
    let camera = FakeCamera::start(move |n| {
        let said = Step::Pieces(vec![sent[..n.min(sent.len())].to_vec()]);
        [Step::Request, said].into_iter().chain(step()).collect()
    })
    .await;
    let mut source = MjpegSource::new(config(&camera.url("/")), &limits());
    for len in 0..=whole.len() {
        let (shown, begun) = whole_in(len);
        let outcome = watch_source(&mut source).await;
        outcome.assert_shown(&three()[..shown], &format!("closed behind {len} bytes"));
        let counted = outcome.dropped(DropReason::Invalid);
        assert!(
            counted >= u64::from(begun && shown > 0) && counted <= 1,
            "{counted} counted behind {len} bytes"
        );
        if shown == 0 {
            assert!(outcome.result.is_err(), "{len} bytes without a picture are no stream");
        }
    }
    assert_eq!((camera.connections(), camera.most_open()), (whole.len() + 1, 1));
}

#[actix_web::test]
async fn an_answer_may_end_at_each_of_its_bytes() {
    close_at_each_byte(|| None).await;
}

#[actix_web::test]
async fn a_connection_may_be_reset_at_each_byte_of_its_answer() {
    close_at_each_byte(|| Some(Step::Reset)).await;
}

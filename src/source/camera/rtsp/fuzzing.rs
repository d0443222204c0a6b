//! The fuzz target for the bytes of RTSP cameras; see `crate::fuzzing`.

use bytes::BytesMut;

use super::tunnel::message::{MAX_BODY_BYTES, Message, MessageError, take_packets};

const LIMIT: usize = 2048;

/// Returns packets and messages in their order, up to the first error.
fn taken(bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<MessageError>) {
    let (mut buffer, mut taken) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            let mut packets = BytesMut::new();
            take_packets(&mut buffer, &mut packets);
            taken.extend(packets.iter().map(|byte| vec![*byte]));
            if buffer.first().is_none_or(|first| *first == b'$') {
                break;
            }
            match Message::take(&mut buffer, LIMIT) {
                Ok(Some(message)) => {
                    assert!(message.body.len() <= MAX_BODY_BYTES);
                    let mut out = BytesMut::new();
                    message.write(&mut out);
                    taken.push(out.to_vec());
                }
                Ok(None) => break,
                Err(error) => return (taken, Some(error)),
            }
        }
        assert!(buffer.len() <= LIMIT + MAX_BODY_BYTES + piece.len(), "it holds {} bytes", buffer.len());
    }
    (taken, None)
}

/// Checks a camera's bytes: packets and messages are the same however they are split, in bounded memory. The
/// first byte sets the length of the pieces.
pub fn rtsp(input: &[u8]) {
    let [piece, bytes @ ..] = input else { return };
    let (whole, whole_error) = taken(bytes, bytes.len().max(1));
    let (cut, cut_error) = taken(bytes, usize::from(*piece) + 1);
    if whole_error.is_none() && cut_error.is_none() {
        assert_eq!(cut, whole);
    } else {
        // An error is noticed as early as its bytes have come.
        let common = cut.len().min(whole.len());
        assert_eq!(cut[..common], whole[..common]);
    }
}

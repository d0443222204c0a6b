use framecast::config::{RtspDecoder, RtspTransport};

use super::*;

#[test]
fn programs_are_lists_of_words_with_an_environment() {
    let SourceConfig::Exec(exec) =
        source("{type: exec, command: [cam, -q, 5, \"${SECRET}\"], env: {KEY: \"${DOOR}\"}, cwd: /}")
    else {
        panic!()
    };
    assert_eq!(exec.program, "cam");
    assert_eq!(exec.arguments.iter().map(|word| word.reveal()).collect::<Vec<_>>(), ["-q", "5", "hunter2"]);
    assert_eq!((&*exec.environment[0].0, exec.environment[0].1.reveal()), ("KEY", "p@s/s: # 1"));
    assert!(!format!("{exec:?}").contains("hunter2"), "{exec:?}");
    assert_eq!([exec.first_frame_timeout, exec.frame_timeout].map(|time| time.as_secs()), [20, 10]);
    let SourceConfig::Rtsp(rtsp) = source("{type: rtsp, url: \"rtsp://u:${DOOR}@cam/s\", transport: udp}")
    else {
        panic!()
    };
    assert_eq!(rtsp.url.reveal(), "rtsp://u:p%40s%2Fs%3A%20%23%201@cam/s");
    assert_eq!((rtsp.quality, rtsp.size, rtsp.fps), (85, None, None));
    assert_eq!((rtsp.transport, rtsp.decoder), (RtspTransport::Udp, RtspDecoder::Auto));
    let wrong = |source: &str| mistakes(&format!("streams: {{a: {{source: {source}}}}}")).remove(0);
    for (yaml, want) in [
        ("{type: exec, command: \"ffmpeg -i hunter2\"}", "must be a list of words, such as [ffmpeg, -i, …]"),
        ("{type: exec, command: []}", "is an empty list"),
        ("{type: exec, command: [\"\"]}", "must begin with a program's name"),
        ("{type: exec}", "is missing: the program and its arguments"),
        ("{type: exec, command: [x], cwd: /no/such}", "must be a folder that exists"),
        ("{type: exec, command: [x], env: {A=B: x}}", "is not a variable's name"),
        ("{type: rtsp, url: \"http://u:hunter2@h/\"}", "must begin with rtsp://"),
        ("{type: rtsp, url: rtsp://h/, transport: http}", "must be auto, tcp or udp, not http"),
        ("{type: rtsp, url: rtsp://h/, decoder: vlc}", "must be auto, native or ffmpeg, not vlc"),
        ("{type: rtsp, url: rtsp://h/, prefer: small}", "must be main or sub, not small"),
        ("{type: rtsp, url: rtsp://h/, quality: 0}", "must be a whole number from 1 to 100"),
        ("{type: v4l2, device: video0}", "must be a full path such as /dev/video0"),
    ] {
        let wrong = wrong(yaml);
        assert!(wrong.contains(want) && !wrong.contains("hunter2"), "{yaml}: {wrong}");
    }
}

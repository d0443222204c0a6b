use super::*;

#[test]
fn steps_are_read_in_their_order_and_each_has_one_key() {
    let rework = |yaml: &str| {
        let text = format!("streams: {{a: {{source: {{type: pattern}}, {yaml}}}}}");
        good(&text).streams.remove(0).rework()
    };
    assert!(rework("max_fps: 5").is_nothing());
    let steps = rework("transform: [{rotate: 90}, {scale: {width: 640}}, {grayscale: true}]").steps;
    assert!(matches!(
        steps[..],
        [Step::Rotate(Rotation::By90), Step::Scale(Scale::Width(_)), Step::Grayscale]
    ));
    let undone = good(
        "defaults: {transform: [{rotate: 90}]}\nstreams: {a: {source: {type: pattern}, transform: none}, b: {source: {type: pattern}}}",
    );
    assert!(undone.streams[0].rework().is_nothing() && !undone.streams[1].rework().is_nothing());
    let found =
        |yaml: &str| mistakes(&format!("streams: {{a: {{source: {{type: pattern}}, {yaml}}}}}")).join("\n");
    for (yaml, part) in [
        ("transform: {rotate: 90}", "transform: must be a list of steps"),
        ("transform: [{rotate: 90, flip: vertical}]", "transform[0]: must have one key"),
        ("transform: [grayscale]", "transform[0]: must be a map, not a single value: one of crop, scale"),
        ("transform: [{rotate: 45}]", "transform[0].rotate: must be 90, 180 or 270, not 45"),
        ("transform: [{rotat: 90}]", "transform[0].rotat: unknown key, did you mean `rotate`?"),
        ("transform: [{scale: {}}]", "transform[0].scale: must have width, height, or both"),
        ("transform: [{crop: {width: 5}}]", "transform[0].crop.height: is missing"),
        ("transform: [{mask: [{width: 5, height: 5, fill: red}]}]", "mask[0].fill: must be blur or a colour"),
        ("transform: [{image: {path: /nowhere.png}}]", "image.path: must be a PNG file that exists"),
        ("transform: [{text: {text: x, color: '#12345'}}]", "text.color: must be a colour"),
        ("encode: {quality: 0}", "encode.quality: must be a whole number from 1 to 100"),
        ("encode: {subsampling: 411}", "encode.subsampling: must be 420, 422 or 444, not 411"),
    ] {
        assert!(found(yaml).contains(part), "{yaml}: {}", found(yaml));
    }
}

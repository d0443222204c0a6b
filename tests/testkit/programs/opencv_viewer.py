"""opencv_viewer.py URL COUNT: reads COUNT frames with OpenCV and says how many of which size they were."""

import sys

import cv2

capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)
wanted = int(sys.argv[2])
sizes = set()
frames = 0
while frames < wanted:
    ok, picture = capture.read()
    if not ok:
        sys.exit(f"no frame after {frames} frames")
    frames += 1
    sizes.add(f"{picture.shape[1]}x{picture.shape[0]}")
print(f"{frames} frames of {', '.join(sorted(sizes))}")

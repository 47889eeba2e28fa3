"""Load a student and render one of its cameras: ``python examples/picture.py STUDENT PICTURE``."""

import sys

from PIL import Image

from nfcore import LightField

student = LightField.load(sys.argv[1])  # such as runs/quickstart/student.safetensors
camera = student.cameras[0]  # a camera saved with it; nfcore.Cameras makes others
picture = student.picture(camera)  # numpy, (height, width, 3) uint8
Image.fromarray(picture).save(sys.argv[2])
print(f"{sys.argv[2]}: {picture.shape[1]}x{picture.shape[0]} pixels")

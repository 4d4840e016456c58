"""Where in a photo is text? The detector of PP-OCR, as RapidOCR's package brings it.

pip brings the package when this is built, for it is not in this repository; its licence is
Apache-2.0. The network answers a map; `parts/text_boxes.py` adds nodes that make boxes of it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from PIL import Image, ImageDraw, ImageFont

from onnxlet.convert.examples.parts import Answer, Scores, pictures, text_boxes
from onnxlet.convert.examples.parts.packages import from_wheel, with_input

HEIGHT, WIDTH = 480, 640  # pixels that the network takes
PACKAGE, VERSION = "rapidocr-onnxruntime", "1.4.4"
FILE = "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx"
SHA256 = "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf"
SIGNS = ["Platform 4", "Exit", "Mind the step", "Open 9 to 17", "Tickets", "No entry", "Café"]
SIGNS += ["Fresh bread", "14:35", "Room 207", "Please ring", "Sale", "To the trains", "Keep left"]


def model(folder: Path) -> dict[str, Any]:
    """What `import_onnx` takes: the network with boxes of its map, and some pictures."""
    brought = from_wheel(PACKAGE, VERSION, SHA256, FILE, folder)
    graph = text_boxes.with_boxes(with_input(brought, "photo"), HEIGHT, WIDTH)
    onnx.save(graph, folder / "text.onnx")
    return {
        "path": folder / "text.onnx",
        "sample": pictures.sample(folder, signs(4, seed=1)),
        "images": [f"photo={HEIGHT}x{WIDTH},mode=BGR,scale=1/255,mean=0.5,std=0.5"],
        "boxes": "boxes,scores,score=0.5,overlap=1,labels=text",
    }


def signs(count: int, seed: int) -> list[pictures.Scene]:
    """Five lines each, of any size, black or white, before soft patches of colour."""
    random, made = np.random.default_rng(seed), []
    for _ in range(count):
        coarse = random.integers(0, 256, (4, 5, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        draw, boxes = ImageDraw.Draw(image), []
        for line in range(5):
            font = ImageFont.load_default(float(random.integers(14, 44)))
            x, y = random.integers((10, 15 + 92 * line), (300, 45 + 92 * line)).tolist()
            sign = str(random.choice(SIGNS))
            left, top, right, bottom = draw.textbbox((x, y), sign, font)
            back = image.crop((left, top, right, bottom)).convert("L")
            color = "white" if np.asarray(back).mean() < 128 else "black"
            draw.text((x, y), sign, color, font)
            boxes.append((left, top, right - left, bottom - top))
        made.append(pictures.Scene(image, boxes))
    return made


def scores(answer: Answer) -> Scores:
    """Of other pictures, beside boxes at random."""
    return pictures.judged(signs(20, seed=2), answer, "photo")

"""The bundle: a tuned model on disk, with everything that says what it is.

    manifest.json            format version; every other file's sha256 and size. Its own sha256 is the digest
    bundle.json              `BundleInfo`
    recipe.toml report.json  how it was tuned and how well it does
    README.md                the model card
    tokenizer/               tokenizer.json and the Hugging Face files beside it
    encoder/ head.safetensors   engine "torch"     (config.json, model.safetensors)
    additions.safetensors       likewise, where a method added what can't be merged
    model.xml model.bin         engine "openvino"
    model.onnx                  engine "onnx"

A bundle never changes once it is made, holds no pickle, and is checked whole before anything in it is used.
"""

from weitiao.bundle.card import model_card
from weitiao.bundle.shape import Bundle, BundleInfo, show, verify
from weitiao.bundle.write import check_free, create

__all__ = ["Bundle", "BundleInfo", "check_free", "create", "model_card", "show", "verify"]

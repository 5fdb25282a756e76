import json
from pathlib import Path

import numpy as np

from flowkit_deflow.evaluation.evaluation import evaluate
from flowkit_deflow.evaluation.json_record import to_json


def test_json_holds_the_numbers_and_nothing_json_cannot_hold(folder: Path) -> None:
    # Equal images: PSNR is infinite, ratios are undefined, most brightness bins are empty.
    result = evaluate(folder / "clean", folder / "clean", folder / "clean")
    loaded = json.loads(json.dumps(to_json(result), allow_nan=False))
    assert loaded["fidelity"]["real_psnr"] is None
    assert loaded["fidelity"]["clean_images"] == 2
    assert loaded["comparison"]["std_ratio"] == [None, None, None]
    differing = evaluate(folder / "generated", folder / "real", folder / "clean")
    loaded = json.loads(json.dumps(to_json(differing), allow_nan=False))
    assert loaded["against_clean"] is True
    assert loaded["real"]["std"] == differing.values["real"]["std"].tolist()
    assert loaded["generated"]["autocorrelation"] == differing.values["generated"]["autocorrelation"].tolist()
    assert np.array(loaded["real"]["histogram"]).shape == (3, 255)
    assert loaded["comparison"]["kl"] == differing.values["comparison"]["kl"]
    assert loaded["comparison"]["conditional_kl_ratio"] == differing.values["comparison"]["conditional_kl_ratio"]


SET_KEYS = {
    "images": int,
    "pixels": int,
    "mean": (3,),
    "std": (3,),
    "overall_std": float,
    "brightness_pixels": (16,),
    "brightness_std": (16,),
    "lag1": float,
    "autocorrelation": (9, 9),
    "correlation": (3, 3),
    "spectrum": (32,),
    "histogram": (3, 255),
    "texture_std": (5,),
    "edge_share": float,
    "edge_std": float,
    "flat_std": float,
    "edge_bias": float,
    "edge_overshoot": float,
    "band_amplitude": (5,),
    "high_pass_gain": float,
    "patch_roughness": (5,),
}
GENERATED_KEYS = SET_KEYS | {"sample_mean_std": float, "sample_mean_share": float}
BASELINES = ("white", "brightness", "brightness_texture")
COMPARISON_KEYS = {
    "std_ratio": (3,),
    "overall_std_ratio": float,
    "lag1_difference": float,
    "kl": float,
    "white_kl": float,
    "kl_ratio": float,
    "conditional_kl": float,
    "white_conditional_kl": float,
    "conditional_kl_ratio": float,
    "shared_brightness": float,
    "texture_std_ratio": (5,),
    "edge_std_ratio": float,
    "flat_std_ratio": float,
    "edge_bias_difference": float,
    "edge_overshoot_difference": float,
    "correlation_difference": (3, 3),
    "band_amplitude_ratio": (5,),
    "high_pass_gain_difference": float,
    "patch_roughness_ratio": (5,),
    "per_image_kl_ratio": float,
    "noise_flow_kl": float,
    "akld": float,
}
OF_EACH_SET = (
    "kl",
    "conditional_kl",
    "per_image_kl",
    "channel_correlation_error",
    "image_std_ratio_median",
    "image_std_within",
)
for key in OF_EACH_SET:
    COMPARISON_KEYS |= {key: float} | {f"{name}_{key}": float for name in BASELINES}
FIDELITY_KEYS = {
    "clean_images": int,
    "real_psnr": float,
    "generated_psnr": float,
    "real_identical_images": float,
    "generated_identical_images": float,
    "real_ssim": float,
    "generated_ssim": float,
}


def kinds(values: dict[str, object]) -> dict[str, object]:
    return {key: np.shape(value) if isinstance(value, list) else type(value) for key, value in values.items()}


def test_the_keys_are_those_that_scripts_read(folder: Path) -> None:
    loaded = json.loads(json.dumps(to_json(evaluate(folder / "generated", folder / "real", folder / "clean"))))
    objects = ["against_clean", "real", "generated", "comparison", "fidelity", "intervals", "cautions", "warnings"]
    assert list(loaded) == objects
    assert kinds(loaded["real"]) == SET_KEYS
    assert kinds(loaded["generated"]) == GENERATED_KEYS
    assert kinds(loaded["comparison"]) == COMPARISON_KEYS
    assert kinds(loaded["fidelity"]) == FIDELITY_KEYS


def test_without_clean_images_fidelity_is_null(folder: Path) -> None:
    loaded = to_json(evaluate(folder / "generated", folder / "real"))
    assert loaded["fidelity"] is None
    assert loaded["against_clean"] is False

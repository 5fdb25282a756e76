from pathlib import Path

import pytest

from flowkit_deflow.images.image_files import write_image
from tests.flowkit_deflow.evaluation.residuals import noise_like, unclipped_photograph


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index, (where, name) in enumerate(((".", "astronaut"), ("cats", "chelsea"))):
        image = unclipped_photograph(name)
        noise = noise_like(image, index)
        write_image(tmp_path / "clean" / where / f"{name}.png", image)
        write_image(tmp_path / "real" / where / f"{name}.png", image + 0.04 * noise)
        for sample in range(2):
            generated = image + 0.02 * noise_like(image, 10 + 2 * index + sample)
            write_image(tmp_path / "generated" / where / f"{name}_s{sample}.png", generated)
    return tmp_path

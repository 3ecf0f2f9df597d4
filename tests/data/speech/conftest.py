from pathlib import Path

import pytest


@pytest.fixture
def sentences(tmp_path) -> Path:
    path = tmp_path / "sentences.txt"
    path.write_text("One red apple.\nTwo green trees.\nThree old boats.\nFour cold nights.\nFive drums.\n")
    return path

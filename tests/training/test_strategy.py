"""aetfx.training.strategy: which devices train, and what is refused before anything is read."""

from __future__ import annotations

import json

import pytest

from aetfx.errors import StudyError
from aetfx.training import strategy
from aetfx.training.strategy import check_cluster, prepare_devices, unused_gpus


def test_several_hosts_are_refused_with_what_to_do_instead(monkeypatch):
    workers = {"cluster": {"worker": ["a:1", "b:1"], "ps": ["c:1"]}, "task": {"type": "worker", "index": 0}}
    with pytest.raises(StudyError, match=r"TF_CONFIG names 2 workers.*keras#20585.*let each host train configurations"):
        check_cluster(json.dumps(workers))
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"chief": ["a:1"], "worker": ["b:1"]}}))
    with pytest.raises(StudyError, match="names 2 workers"):
        prepare_devices()


@pytest.mark.parametrize("config", [None, "", "{}", "[]", "not json", '{"cluster": {"worker": ["a:1"]}}'])
def test_one_host_is_fine(config):
    check_cluster(config)


def test_gpus_that_tensorflow_does_not_see_are_told(monkeypatch, tmp_path):
    monkeypatch.setattr(strategy, "_DRIVER", tmp_path / "gpus")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert unused_gpus() == ""
    (tmp_path / "gpus" / "0000:01:00.0").mkdir(parents=True)
    assert "1 NVIDIA GPU, but TensorFlow sees none" in unused_gpus()
    with pytest.warns(UserWarning, match="sees none"):
        prepare_devices()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert unused_gpus() == "", "the user has hidden them"


def test_one_device_is_mirrored_only_where_that_is_asked_for():
    assert type(prepare_devices("auto", 1)).__name__ == "_DefaultDistributionStrategy"
    assert type(prepare_devices("one_device", 1)).__name__ == "_DefaultDistributionStrategy"
    assert type(prepare_devices("mirrored", 1)).__name__ == "MirroredStrategy"

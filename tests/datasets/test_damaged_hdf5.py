"""HDF5 files that cannot be what they should: locked, of another layout, damaged within."""

import os
import shutil
import subprocess
import sys

import h5py
import pytest

from datasets.files import DataError
from datasets.rcn_hdf5 import Params, prepare
from tests.faults.originals_inputs import put_pigs

HOLD = "import h5py, sys; f = h5py.File(sys.argv[1], 'a'); print('held', flush=True); sys.stdin.read()"


def imported(tmp_path, collection="lspig"):
    prepare(tmp_path / "out", Params(collection=collection, source=str(tmp_path / "mine")), name="pigs")


@pytest.mark.fault(17)
def test_a_file_that_another_process_holds_is_read(tmp_path):
    """HDF5 locks what it writes; a reader that asked for a lock too would fail, as it does where there are none."""
    path = put_pigs(tmp_path / "mine")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(OSError, match="lock"):
            h5py.File(path, "r")
        imported(tmp_path)
        holder.stdin.close()


@pytest.mark.fault(17)
def test_another_group_than_the_released_one_lists_what_is_there(tmp_path):
    path = put_pigs(tmp_path / "mine")
    shutil.copy(path, path.with_name("youyi_liver.h5"))
    path.rename(path.with_name("msd_dataset.h5"))
    with pytest.raises(DataError, match="no group 'liver', found 2017_02_aftergas, 2017_02_pregas"):
        imported(tmp_path, "liver-training")


@pytest.mark.fault(17)
def test_a_group_in_place_of_an_array_and_a_link_to_nowhere(tmp_path):
    path = put_pigs(tmp_path / "mine")
    with h5py.File(path, "a") as archive:
        del archive["2017_02_pregas/volume"]
        archive.create_group("2017_02_pregas/volume")
    with pytest.raises(DataError, match="no dataset 'volume', found segmentation, volume"):
        imported(tmp_path)
    with h5py.File(path, "a") as archive:
        del archive["2017_02_pregas/volume"]
        archive["2017_02_pregas/volume"] = h5py.SoftLink("/nowhere")
    with pytest.raises(DataError, match="no dataset 'volume'"):
        imported(tmp_path)


@pytest.mark.fault(17)
@pytest.mark.parametrize("kind", ["external", "virtual", "group"])
def test_content_of_another_file_is_refused(tmp_path, kind):
    """What lies elsewhere is neither in the checksum nor followed when it changes."""
    path = put_pigs(tmp_path / "mine")
    shutil.copy(path, path.with_name("other.h5"))
    with h5py.File(path, "a") as archive:
        place = "2017_02_pregas" if kind == "group" else "2017_02_pregas/volume"
        if kind == "virtual":
            source = h5py.VirtualSource(archive["2017_02_aftergas/volume"])
            layout = h5py.VirtualLayout(source.shape, "u1")
            layout[...] = source
        del archive[place]
        if kind == "virtual":
            archive.create_virtual_dataset(place, layout)
        else:
            archive[place] = h5py.ExternalLink("other.h5", f"/{place}")
    with pytest.raises(DataError, match=r"2017_02_pregas.*lies in another file"):
        imported(tmp_path)


@pytest.mark.fault(17)
@pytest.mark.parametrize("mark", [b"TREE", b"HEAP", b"SNOD"])
def test_damage_within_is_one_error(tmp_path, mark):
    """What fuzzing found: the library raises four kinds of errors, of which no reader thinks."""
    path = put_pigs(tmp_path / "mine")
    content = bytearray(path.read_bytes())
    at = content.index(mark)
    content[at : at + 24] = os.urandom(4) + bytes(20)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"lspig_val\.h5"):
        imported(tmp_path)


@pytest.mark.fault(17)
def test_a_name_that_is_no_text_is_shown(tmp_path):
    path = put_pigs(tmp_path / "mine")
    path.write_bytes(
        path.read_bytes().replace(b"2017_02_pregas", b"2017_02_\x80\xffegas").replace(b"aftergas", b"after\xffas")
    )
    with pytest.raises(DataError, match=r"lspig_val\.h5"):
        imported(tmp_path)


@pytest.mark.fault(17, 20)
def test_a_volume_of_more_voxels_than_fit_is_refused_unread(tmp_path):
    path = put_pigs(tmp_path / "mine")
    with h5py.File(path, "a") as archive:
        del archive["2017_02_pregas/volume"]
        archive.create_dataset("2017_02_pregas/volume", (2**20, 2**20, 2**10), "u1", chunks=(64, 64, 64))
    with pytest.raises(DataError, match=r"expected a volume of three axes, got shape \(1048576, 1048576, 1024\)"):
        imported(tmp_path)

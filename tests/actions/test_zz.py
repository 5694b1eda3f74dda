import sys
from tests.makers import models
from pathlib import Path
def test_x(world):
    path = world.root / "mine.safetensors"
    path.write_bytes(models.safetensors(models.small_lora(), 72))
    print(world.good("add", "--in-place", str(path)).data)
    from sdkeep.catalogue.salvage import salvage
    print(salvage(world.catalogue))
    r=world.json("db","rebuild","--yes"); print(r.document); assert 0

"""Random logs with the outcomes that the specification gives them: `random_logs.py FOLDER FIRST COUNT`, one JSON object a line.

FOLDER is that of timespec.py. The logs are those of its self-test, by seed."""
import json
import random
import sys

folder, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.path.insert(0, folder)
sys.dont_write_bytecode = True

import test_timespec  # noqa: E402
import timespec  # noqa: E402

for seed in range(first, first + count):
    rng = random.Random(seed)
    config, log = test_timespec.random_config(rng), test_timespec.random_log(rng)
    if seed % 3 == 2:
        config, log = test_timespec.with_hand_over(rng, config, log)
    if seed % 10 == 9:
        # Files: no broker times and no ticks.
        config = {**config, "files": True, "assume_sorted": seed % 20 == 19}
        log = [{k: v for k, v in entry.items() if k != "broker_time"} for entry in log if "tick" not in entry]
    case = dict(name=f"seed {seed}", config=config, log=log, outcome=timespec.run(config, log))
    print(json.dumps(case, allow_nan=False))

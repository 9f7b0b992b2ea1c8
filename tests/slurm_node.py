"""A real Slurm on this machine: controller and one node on loopback, without systemd or cgroups.

Needs root and Debian's slurmctld, slurmd, slurm-client and munge. There is no accounting, as on
many small clusters: `squeue` is asked how jobs ended.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CPUS = 8  # that Slurm counts, whatever the machine has
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue")
CONFIG = """
ClusterName=bioloom
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={controller}
SlurmdPort={node}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
MinJobAge=3600
KillWait=2
OverTimeLimit=0
SchedulerParameters=sched_interval=1,batch_sched_delay=0
ReturnToService=2
SlurmdParameters=config_overrides
MpiDefault=none
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=16000 Gres=gpu:1 State=UNKNOWN
PartitionName=short Nodes={host} Default=YES MaxTime=UNLIMITED State=UP
PartitionName=gpu Nodes={host} MaxTime=UNLIMITED State=UP
"""


def missing() -> str:
    """Why Slurm cannot be started here, or nothing."""
    if os.geteuid() != 0:
        return "Slurm is started by root"
    if absent := [name for name in PROGRAMS if not shutil.which(name, path=_path())]:
        return f"not installed: {', '.join(absent)}"
    if Path("/etc/slurm/slurm.conf").exists():
        return "this machine has a Slurm of its own"
    return ""


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Node:
    """A controller and its node, with `folder` for all that they keep."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = socket.gethostname().split(".")[0]
        self.environment = os.environ | {"PATH": _path(), "SLURM_CONF": f"{folder}/slurm.conf"}

    def write(self) -> None:
        """All files that the programs need; jobs look for their configuration in /etc/slurm."""
        for name in ("state", "spool", "munge"):
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        text = CONFIG.format(
            host=self.host,
            folder=self.folder,
            controller=_free_port(),
            node=_free_port(),
            cpus=CPUS,
        )
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")  # a pretend one
        Path("/etc/slurm").mkdir(exist_ok=True)
        for name in ("slurm.conf", "gres.conf"):
            Path("/etc/slurm", name).symlink_to(self.folder / name)

    def start(self) -> None:
        """All programs, until the node takes jobs."""
        self._run(
            "munged",
            f"--key-file={self.folder}/munge.key",
            f"--socket={self.folder}/munge.socket",
            f"--pid-file={self.folder}/munged.pid",
            f"--log-file={self.folder}/munged.log",
            f"--seed-file={self.folder}/munge.seed",
            "--force",
        )
        self.start_controller()
        self._run("slurmd", "-N", self.host)
        self.wait_for("idle")

    def start_controller(self) -> None:
        """The controller, which takes up the jobs that it knew."""
        self._run("slurmctld")

    def stop(self, program: str) -> None:
        """End one of the programs by its process id."""
        pid_file = self.folder / f"{program}.pid"
        if pid_file.exists():
            subprocess.run(["kill", pid_file.read_text().strip()], check=False)
            for _ in range(100):
                if not pid_file.exists():
                    return
                time.sleep(0.1)

    def wait_for(self, state: str, seconds: float = 60) -> None:
        """Until the node is in a state such as idle."""
        end = time.monotonic() + seconds
        while state not in (said := self.ask("sinfo", "--noheader", "--format=%T")):
            if time.monotonic() > end:
                raise TimeoutError(f"the node is {said!r}: see {self.folder}/slurmd.log")
            time.sleep(0.2)

    def ask(self, *command: str) -> str:
        """What a program prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def _run(self, *command: str) -> None:
        subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True)


@contextmanager
def slurm_node(folder: Path) -> Iterator[Node]:
    """A Slurm that runs for as long as the block does."""
    node = Node(folder)
    node.write()
    try:
        node.start()
        yield node
    finally:
        node.ask("scancel", "--user=root")
        for program in ("slurmd", "slurmctld", "munged"):
            node.stop(program)
        for name in ("slurm.conf", "gres.conf"):
            Path("/etc/slurm", name).unlink(missing_ok=True)

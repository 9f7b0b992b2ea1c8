"""A real Slurm on this machine: controller and two nodes on loopback, no systemd, no cgroups.

Needs root and Debian's slurmctld, slurmd, slurm-client and munge. There is no accounting, as on
many small clusters: `squeue` is asked how jobs ended.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

CPUS = 8  # of a node that Slurm counts, whatever the machine has
NODES = ("node1", "node2")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue")
ETC = Path("/etc/slurm")
"""Where jobs look for the configuration, whatever their environment says."""
LINKED = ("slurm.conf", "gres.conf")
FOLDER = "bioloom_slurm_of_tests"
"""What the folder of a Slurm is called that a test has started: links to another are not ours."""
PLUGIN = "snakemake_executor_plugin_slurm"
CONFIG = """
ClusterName=bioloom
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
SlurmctldPort={controller}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory,CR_LLN
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
MinJobAge=3600
KillWait=2
SlurmdTimeout=6
SlurmctldTimeout=10
JobRequeue=0
OverTimeLimit=0
SchedulerParameters=sched_interval=1,batch_sched_delay=0
ReturnToService=2
SlurmdParameters=config_overrides
MpiDefault=none
GresTypes=gpu
{nodes}
PartitionName=short Nodes=ALL Default=YES MaxTime=UNLIMITED State=UP
PartitionName=gpu Nodes=ALL MaxTime=UNLIMITED State=UP
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus}"
    " RealMemory=20000 Gres=gpu:1 State=UNKNOWN"
)


def missing() -> str:
    """Why Slurm cannot be started here, or nothing. What a killed test left is removed."""
    if not find_spec(PLUGIN):
        return f"not installed: {PLUGIN}"
    if os.geteuid() != 0:
        return "Slurm is started by root"
    if absent := [name for name in PROGRAMS if not shutil.which(name, path=_path())]:
        return f"not installed: {', '.join(absent)}"
    links = [link for link in (ETC / name for name in LINKED) if os.path.lexists(link)]
    # A Slurm may have links here, too, and these may lead to what is not mounted just now.
    if not all(link.is_symlink() and link.readlink().parent.name == FOLDER for link in links):
        return "this machine has a Slurm of its own"
    for folder in dict.fromkeys(link.readlink().parent for link in links):
        with alone(folder) as is_alone:
            if not is_alone:
                return "another test has its Slurm here"
            _end_leftovers(folder)
    return ""


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Hold the folder of a Slurm while it runs; False where another process does."""
    if not folder.exists():
        yield True
        return
    with (folder / "held").open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _end_leftovers(folder: Path) -> None:
    """End what was started with the configuration in this folder, jobs too, and unlink it."""
    _kill(f"SLURM_CONF={folder}/slurm.conf")
    _unlink(folder)


def _kill(*marks: str) -> None:
    """End all processes with these variables in their environment."""
    wanted = {mark.encode() for mark in marks}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            if wanted <= {*(place / "environ").read_bytes().split(b"\0")}:
                os.kill(int(place.name), signal.SIGKILL)


def _unlink(folder: Path) -> None:
    """Remove the links that lead to this folder, and no other ones."""
    for link in (ETC / name for name in LINKED):
        if link.is_symlink() and link.readlink().parent == folder:
            link.unlink()


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Node:
    """A controller and its nodes, with `folder` for all that they keep."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = socket.gethostname().split(".")[0]
        self.environment = os.environ | {"PATH": _path(), "SLURM_CONF": f"{folder}/slurm.conf"}

    def write(self) -> None:
        """All files that the programs need."""
        for name in ("state", "spool", "munge"):
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        text = CONFIG.format(
            host=self.host,
            folder=self.folder,
            controller=_free_port(),
            nodes="\n".join(
                NODE.format(name=name, host=self.host, port=_free_port(), cpus=CPUS)
                for name in NODES
            ),
        )
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")  # a pretend one
        ETC.mkdir(exist_ok=True)
        for name in LINKED:
            (ETC / name).symlink_to(self.folder / name)

    def start(self) -> None:
        """All programs, until the nodes take jobs."""
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
        for name in NODES:
            self.start_node(name)
        self.wait_for("idle")

    def start_controller(self) -> None:
        """The controller, which takes up the jobs that it knew."""
        self._run("slurmctld")

    def start_node(self, name: str) -> None:
        """One of the nodes, by whose name what it starts is known."""
        self._run("slurmd", "-N", name, SLURMD_NODENAME=name)

    def kill_node(self, name: str) -> None:
        """End a node and all that runs on it at once, as where its power fails."""
        _kill(f"SLURM_CONF={self.environment['SLURM_CONF']}", f"SLURMD_NODENAME={name}")

    def stop(self, program: str) -> None:
        """End the controller or a node by its process id, and wait until it has."""
        pid_file = self.folder / f"{program}.pid"
        if not pid_file.exists():
            return
        process = Path("/proc", pid_file.read_text().strip())
        for number in range(300):
            if not process.exists():
                return
            ended_by = "-KILL" if number == 200 else "-TERM"
            if number in (0, 200):
                subprocess.run(["kill", ended_by, process.name], check=False)
            time.sleep(0.1)
        raise TimeoutError(f"{program} does not end")

    def cancel(self) -> None:
        """End all jobs, and wait until they have."""
        self.ask("scancel", "--user=root")
        self.wait_for("idle")

    def wait_for(self, state: str, seconds: float = 60) -> None:
        """Until all nodes are in a state such as idle."""
        end, said = time.monotonic() + seconds, ""
        while {*said.split()} != {state}:
            if time.monotonic() > end:
                raise TimeoutError(f"the nodes are {said!r}: see {self.folder}/*.log")
            time.sleep(0.2)
            with suppress(subprocess.CalledProcessError):  # the controller may just be starting
                said = self.ask("sinfo", "--Node", "--noheader", "--format=%T")

    def ask(self, *command: str) -> str:
        """What a program prints; CalledProcessError where it fails."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def _run(self, *command: str, **variables: str) -> None:
        environment = self.environment | variables
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True)


@contextmanager
def started(place: Path) -> Iterator[Node]:
    """A Slurm with a folder in this one that runs for as long as the block does."""
    node = Node(place / FOLDER)
    node.folder.mkdir()
    with alone(node.folder):
        try:
            node.write()
            node.start()
            yield node
            node.cancel()
        finally:
            for program in (*NODES, "slurmctld", "munged"):
                node.stop(program)
            _unlink(node.folder)

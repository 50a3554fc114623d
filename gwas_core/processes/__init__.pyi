from .channel import Channel as Channel
from .channel import die_with as die_with
from .command_messages import CommandMessage as CommandMessage
from .command_messages import MessageKind as MessageKind
from .command_messages import json_messages as json_messages
from .command_messages import read_messages as read_messages
from .command_messages import say as say
from .detached import import_environment as import_environment
from .detached import last_line as last_line
from .detached import module_command as module_command
from .detached import run_module as run_module
from .detached import start_detached as start_detached
from .fork_server import ForkServer as ForkServer
from .fork_server import serve_forks as serve_forks
from .limits import Limits as Limits
from .limits import call_limited as call_limited
from .limits import exceeded as exceeded
from .limits import limit_this_process as limit_this_process
from .limits import reading_limits as reading_limits
from .limits import run_limited as run_limited
from .locks import FileLock as FileLock
from .locks import experiment_lock as experiment_lock
from .memory import give_back_memory as give_back_memory
from .memory import held_bytes as held_bytes
from .memory import peak_bytes as peak_bytes
from .memory import usable_bytes as usable_bytes
from .threads import thread_environment as thread_environment
from .threads import usable_cores as usable_cores
from .threads import worker_threads as worker_threads
from .worker import serve_jobs as serve_jobs
from .worker_messages import Done as Done
from .worker_messages import Failed as Failed
from .worker_messages import Ready as Ready
from .worker_messages import Report as Report
from .worker_pool import Task as Task
from .worker_pool import WorkerPool as WorkerPool

__all__ = [
    "Channel",
    "CommandMessage",
    "Done",
    "Failed",
    "FileLock",
    "ForkServer",
    "Limits",
    "MessageKind",
    "Ready",
    "Report",
    "Task",
    "WorkerPool",
    "call_limited",
    "die_with",
    "exceeded",
    "experiment_lock",
    "give_back_memory",
    "held_bytes",
    "import_environment",
    "json_messages",
    "last_line",
    "limit_this_process",
    "module_command",
    "peak_bytes",
    "read_messages",
    "reading_limits",
    "run_limited",
    "run_module",
    "say",
    "serve_forks",
    "serve_jobs",
    "start_detached",
    "thread_environment",
    "usable_bytes",
    "usable_cores",
    "worker_threads",
]

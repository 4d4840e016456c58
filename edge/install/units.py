"""The files that systemd reads. docs/how-to/device.md gives the reasons for their settings."""

from __future__ import annotations

from onnxlet.edge.device.slots import DevicePaths

NAME = "onnxlet"  # of the service and its user
SERVICE, UPDATE, TIMER = "onnxlet.service", "onnxlet-update.service", "onnxlet-update.timer"
MQTT, SETTLE = "onnxlet-mqtt.service", "onnxlet-settle.service"

# Hardening of all services: none needs any of what this forbids.
CONFINED = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
MemoryDenyWriteExecute=yes
ProtectProc=invisible
AmbientCapabilities=
LimitCORE=0
"""

# What the services that answer have in common.
ANSWERS = """\
Type=notify
NotifyAccess=main
WatchdogSignal=SIGKILL
TimeoutStartSec=120
EnvironmentFile={settings}/environment
# One thread each; and ONNX Runtime sends no telemetry.
Environment=OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 ORT_DISABLE_TELEMETRY=1
# Less than a server takes at once: a board is slower and has less memory. The file above may
# say otherwise.
Environment=ONNXLET_MAX_BODY_BYTES=2097152 ONNXLET_MAX_UNPACKED_BYTES=8388608
Environment=ONNXLET_MAX_ROWS=2000 ONNXLET_MAX_PIXELS=12500000
User=onnxlet
Group=onnxlet
StateDirectory=onnxlet/state
StateDirectoryMode=0700
UMask=0077

# What is in flight is finished.
TimeoutStopSec=30
Restart=always
RestartSec=1

MemoryHigh=60%
MemoryMax=75%
# Sixteen for each worker, and some more.
TasksMax=512
LimitNOFILE=4096

LogNamespace=onnxlet
LogRateLimitIntervalSec=10
LogRateLimitBurst=5000

{confined}\
PrivateUsers=yes
RemoveIPC=yes
CapabilityBoundingSet=

[Install]
WantedBy=multi-user.target
"""

SERVE = """\
[Unit]
Description=onnxlet: predictions over HTTP
Documentation=file:{settings}/environment
After=network.target
StartLimitIntervalSec=0

[Service]
ExecStart={python} -I -S -B {live} serve
# Ready and alive mean that golden rows are answered.
WatchdogSec=8
# A worker that is killed for its memory is started again by the supervisor.
OOMPolicy=continue
{answers}"""

# Restarted with onnxlet.service: updates change the code and models of both.
DO_MQTT = """\
[Unit]
Description=onnxlet: predictions by MQTT
Documentation=file:{settings}/environment
PartOf=onnxlet.service
After=network.target onnxlet.service
StartLimitIntervalSec=0

[Service]
ExecStart={python} -I -S -B {live} mqtt
# Ready when it may answer, whether a broker is there or not; alive as long as its loop goes on.
WatchdogSec=120
{answers}"""

DO_UPDATE = """\
[Unit]
Description=onnxlet: take what its channel has
Wants=network-online.target
After=network-online.target time-sync.target
OnFailure=onnxlet-settle.service

[Service]
Type=oneshot
ExecStart={python} -I -S -B {live} update
TimeoutStartSec=30min
Nice=10
IOSchedulingClass=idle
{changes}"""

# By the previous slot's code: the live one's is not confirmed, and may be broken.
DO_SETTLE = """\
[Unit]
Description=onnxlet: bring an update to its end that was cut off
ConditionPathIsSymbolicLink={data}/back
After=onnxlet.service

[Service]
Type=oneshot
ExecStart={python} -I -S -B {data}/back settle
TimeoutStartSec=10min
{changes}
[Install]
WantedBy=multi-user.target
"""

CHANGES = """\
Environment=ORT_DISABLE_TELEMETRY=1
MemoryMax=75%
# What proves a release may be killed: the update goes on, and says so.
OOMPolicy=continue
LogNamespace=onnxlet
ReadWritePaths={data}
# The service's user writes there, and root only reads what it left.
ReadOnlyPaths=-{state}
UMask=0022

# It starts the service again, which is root's to do; what the service left, others can't read.
CapabilityBoundingSet=CAP_DAC_READ_SEARCH
{confined}"""

WHEN = """\
[Unit]
Description=onnxlet: look for updates
# Monotonic times: a Raspberry Pi has no clock that goes on without power.

[Timer]
OnBootSec=10min
OnUnitInactiveSec=6h
RandomizedDelaySec=1h

[Install]
WantedBy=timers.target
"""

JOURNAL = """\
# The service logs one line for each request: bounded, and apart from the system's own.
[Journal]
Storage=auto
SystemMaxUse=64M
RuntimeMaxUse=16M
MaxRetentionSec=30day
"""

USER = 'u onnxlet - "onnxlet" /nonexistent /usr/sbin/nologin\n'

COMMAND = """\
#!/bin/sh
# onnxlet COMMAND: the live bundle's commands.
exec {python} -I -S -B {live} "$@"
"""

ENVIRONMENT = """\
# Settings of onnxlet on this device: NAME=VALUE. After a change:
#   sudo onnxlet install
# docs/reference/settings.md lists all of them.
#
# Others than this device may ask as soon as there is a key, which this makes, and writes here:
#   sudo onnxlet key NAME
#ONNXLET_API_KEYS=
#ONNXLET_DEVICE_HOST=0.0.0.0
#ONNXLET_DEVICE_UPDATE_URL=
#ONNXLET_DEVICE_FORWARD_URL=
#ONNXLET_DEVICE_MQTT_URL=
#ONNXLET_DEVICE_PORT=8080
#ONNXLET_DEVICE_WORKERS=1
#ONNXLET_DEVICE_TLS_CERT=/etc/onnxlet/tls/cert.pem
#ONNXLET_DEVICE_TLS_KEY=/etc/onnxlet/tls/key.pem
"""


def files(python: str) -> dict[str, tuple[str, int]]:
    """All files outside the data folder: content and mode by path below the root.

    `python` is the interpreter of the service.
    """
    paths = DevicePaths()
    names = {
        "python": python, "live": paths.live, "data": paths.data, "settings": paths.settings,
        "state": paths.state, "confined": CONFINED,
    }  # fmt: skip
    names |= {"answers": ANSWERS.format(**names), "changes": CHANGES.format(**names)}
    units = {
        SERVICE: SERVE, MQTT: DO_MQTT, UPDATE: DO_UPDATE, SETTLE: DO_SETTLE, TIMER: WHEN,
    }  # fmt: skip
    return {
        **{
            f"etc/systemd/system/{name}": (text.format(**names), 0o644)
            for name, text in units.items()
        },
        "etc/systemd/journald@onnxlet.conf": (JOURNAL, 0o644),
        "etc/sysusers.d/onnxlet.conf": (USER, 0o644),
        "usr/local/bin/onnxlet": (COMMAND.format(**names), 0o755),
    }

"""One file of 20 images through EPICS: ``python epics_script.py FOLDER [PREFIX]``.

On the machine of the server: ``export EPICS_CA_ADDR_LIST=127.0.0.1 EPICS_CA_AUTO_ADDR_LIST=NO``.
"""

import sys

import epics

folder, prefix = sys.argv[1], [*sys.argv, "X:REPSTREAM:"][2]

for setting, value in {"OutputFile": f"{folder}/from_epics.h5", "NumImages": 20}.items():
    epics.caput(f"{prefix}Wr1:{setting}", value, wait=True)
    if epics.caget(f"{prefix}Wr1:{setting}_RBV", as_string=True, use_monitor=False) != str(value):
        sys.exit(epics.caget(f"{prefix}CmdMsg_RBV", as_string=True))  # refused
epics.caput(f"{prefix}Wr1:Start", 1, wait=True, timeout=60)  # until the file is closed
if epics.caget(f"{prefix}Wr1:StartResult_RBV", as_string=True, use_monitor=False) != "completed":
    sys.exit(epics.caget(f"{prefix}Wr1:StartMessage_RBV", as_string=True))
name = epics.caget(f"{prefix}Wr1:FullFileName_RBV", as_string=True)
written = epics.caget(f"{prefix}Wr1:NumWritten_RBV")
message = epics.caget(f"{prefix}Wr1:AcqMessage_RBV", as_string=True)
print(f"{name}: {written:.0f} images. {message}")

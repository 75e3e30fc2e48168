"""One file of 20 images through EPICS: ``python epics_script.py FOLDER [PREFIX]``.

On the machine of the server: ``export EPICS_CA_ADDR_LIST=127.0.0.1 EPICS_CA_AUTO_ADDR_LIST=NO``.
"""

import sys

import epics

folder, prefix = sys.argv[1], [*sys.argv, "X:REPSTREAM:"][2]

epics.caput(f"{prefix}Wr1:OutputFile", f"{folder}/from_epics.h5", wait=True)
epics.caput(f"{prefix}Wr1:NumImages", 20, wait=True)
epics.caput(f"{prefix}Wr1:Start", 1, wait=True, timeout=60)  # until the file is closed
name = epics.caget(f"{prefix}Wr1:FullFileName_RBV", as_string=True)
written = epics.caget(f"{prefix}Wr1:NumWritten_RBV")
message = epics.caget(f"{prefix}Wr1:AcqMessage_RBV", as_string=True)
print(f"{name}: {written:.0f} images. {message}")

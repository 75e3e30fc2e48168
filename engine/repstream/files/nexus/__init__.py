"""The groups, fields and links of a file, as data.

The images are one dataset with several names, so that clients of the standard DAQ, of
areaDetector and of Lima each find it where they look, and viewers that follow NeXus
(``default`` and ``signal`` attributes, https://manual.nexusformat.org/datarules.html) plot
it when the file is opened.
"""

"""Pictures in Tango: as images, as JPEG and as Lima's viewers want them."""

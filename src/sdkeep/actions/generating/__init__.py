"""Inside generation: the files a picture is made with, the pictures as files, and their records. Draws nothing."""

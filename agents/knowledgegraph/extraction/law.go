package extraction

func lawOf(string) (key, name string, ok bool) { return "", "", false }

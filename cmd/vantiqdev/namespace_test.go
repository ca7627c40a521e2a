package main

import "testing"

func TestASourceThatIsNoLongerInTheFileIsGone(t *testing.T) {
	w := newWorkplace(t)
	w.write("vantiqdev.json", `{"sources":{"EchoSource":{},"Former":{}}}`)
	vantiq := w.serve()
	w.do("publish", "-source", "Former", "{}").ended(1, "no associated session") // it is there, without a connector
	w.write("vantiqdev.json", `{"sources":{"EchoSource":{}}}`)
	vantiq.stdout.await(t, "source Former is no longer there")
	w.write("vantiqdev.json", `{"sources":{"EchoSource":{},"Later":{}}}`)
	vantiq.stdout.await(t, "source Later is there now") // so all that was said before is done
	w.do("publish", "-source", "Former", "{}").ended(1, "there is no source Former; the local Vantiq has sources EchoSource, Later")
}

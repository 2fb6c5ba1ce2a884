package eval

import (
	"context"
	"fmt"
	"testing"
	"time"
	"math"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/resolution"
)

func TestTry(t *testing.T) {
	for _, plan := range []Plan{{Seed: 1, Clients: 1000, Others: 500, Given: 26, Family: 24, Even: true}, {Seed: 2, Clients: 1000, Others: 500, Given: 150, Family: 600}, {Seed: 3, Clients: 100, Others: 50, Given: 150, Family: 600}, {Seed: 3, Clients: 10, Others: 10, Given: 150, Family: 600}} {
		p := plan.Draw()
		start := time.Now()
		r, err := resolution.Resolve(context.Background(), p.Records, nil)
		if err != nil {
			t.Fatal(err)
		}
		client := map[string]string{}
		rec := map[string]resolution.Record{}
		for _, x := range p.Records {
			client[x.ID] = x.ClientID
			rec[x.ID] = x
		}
		fmt.Println(len(p.Records), "records", time.Since(start), len(r.Clusters), "clusters", len(r.Joined), len(r.Reviews))
		right, wrong := 0, 0
		for _, c := range r.Clusters {
			for i := range c {
				for j := range i {
					if client[c[i]] != "" && client[c[i]] == client[c[j]] {
						continue
					}
					if p.Person[c[i]] == p.Person[c[j]] {
						right++
					} else {
						wrong++
					}
				}
			}
		}
		size := map[int]int{}
		for _, x := range p.Records {
			size[p.Person[x.ID]]++
		}
		total := 0
		for _, s := range size {
			total += s * (s - 1) / 2
		}
		fmt.Println("pairs: precision", float64(right)/float64(right+wrong), "recall(all)", float64(right)/float64(total))
		jr, jw := 0, 0
		shown := 0
		for _, j := range r.Joined {
			if j.Probability == 1 {
				continue
			}
			if p.Person[j.A] == p.Person[j.B] {
				jr++
			} else {
				jw++
				if shown < 5 {
					shown++
					fmt.Println("WRONG", j, rec[j.A], rec[j.B])
				}
			}
		}
		fmt.Println("joins", jr, jw)
		var n, ok, sum [10]float64
		for _, j := range r.Reviews {
			b := min(int(j.Probability*10), 9)
			n[b]++
			sum[b] += j.Probability
			if p.Person[j.A] == p.Person[j.B] {
				ok[b]++
			}
		}
		for b := range n {
			if n[b] > 0 {
				fmt.Printf("review %d: n %.0f p %.3f right %.3f\n", b, n[b], sum[b]/n[b], ok[b]/n[b])
			}
		}
		type st struct{ n, ok, p float64 }
		pat := map[string]*st{}
		for _, j := range r.Reviews {
			k := ""
			for _, f := range j.Fields {
				k += f.Name + ":" + f.Level + " "
			}
			if pat[k] == nil {
				pat[k] = &st{}
			}
			pat[k].n++
			pat[k].p += j.Probability
			if p.Person[j.A] == p.Person[j.B] {
				pat[k].ok++
			}
		}
		for k, s := range pat {
			if s.n > 8 {
				fmt.Printf("%5.0f p %.2f ok %.2f %s\n", s.n, s.p/s.n, s.ok/s.n, k)
			}
		}
		_ = math.Abs
	}
}

package relations

import "github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"

var (
	person = []extraction.Type{extraction.Person}
	// placed are what is somewhere for good.
	placed = []extraction.Type{extraction.Company, extraction.Location}
	firm   = []extraction.Type{extraction.Company}
)

// Confidences are an estimate of how often what matches is said and true; see
// the figures of these patterns on newspaper text in the evaluation.
var english = language{
	classes: map[string]string{
		"be":       "is are am was",
		"aux":      "currently now also still both all always usually just recently lately actually presently nowadays today already",
		"article":  "a an the",
		"sort":     "your old new long - time longtime loyal existing regular happy",
		"courtesy": "mr mrs ms miss dr prof",
		"title":    "director ceo cfo cto coo founder co-founder cofounder owner co-owner manager president chairman chairwoman commissioner employee accountant lawyer partner secretary head engineer assistant consultant spokesman spokeswoman spokesperson representative chief executive vice-president vp analyst treasurer supervisor administrator officer coordinator teacher designer developer programmer architect technician bookkeeper receptionist intern trainee clerk chef nurse doctor",
		"rank":     "current managing general finance financial sales hr legal executive operations marketing senior junior deputy country regional vice assistant project office chief technical commercial new our the a an its",
		"staff":    "director ceo cfo cto coo founder owner manager president chairman commissioner employee accountant lawyer secretary head chief executive spokesman spokeswoman",
		"you":      "you u we they i one you'll we'll they'll i'll clients applicants foreigners everyone everybody he she it",
		"adv":      "will also only just always usually still first then normally really must do",
		"need":     "need needs require requires",
		"provide":  "to have provide submit bring prepare send show give upload present us attach hand over in pay get at least",
		"get":      "get obtain open set up apply for register renew extend start make file process have do do",
		"where":    "based located headquartered registered situated domiciled incorporated",
	},
	patterns: []pattern{
		// works_for
		{extraction.WorksFor, .95, "! x ?, ?who *@aux works|work for|at Y", nil},
		{extraction.WorksFor, .95, "! X *@aux work for|at y", nil},
		{extraction.WorksFor, .9, "! x ?, ?who *@be *@aux working|employed for|at|by Y", nil},
		{extraction.WorksFor, .9, "! x has ?also been working for|at Y", nil},
		{extraction.WorksFor, .85, "! x has worked for|at Y since|for", nil},
		{extraction.WorksFor, .9, "! x ?, ?who is|am *@rank @title ?& *@title of|at|for|with|in y", nil},
		{extraction.WorksFor, .9, "! x is|am *@rank @title of finance|sales|operations|hr|legal|marketing of|at|for y", nil},
		{extraction.WorksFor, .9, "x , *@rank @title *@title of|at|for|with|in y", nil},
		{extraction.WorksFor, .85, "x , *@rank @title of finance|sales|operations|hr|legal|marketing of|at|for y", nil},
		{extraction.WorksFor, .85, "x , y *@rank @title", nil},
		{extraction.WorksFor, .8, "x ( *@rank @title of|at|, ?of y )", nil},
		{extraction.WorksFor, .75, "x from y", nil},
		{extraction.WorksFor, .65, "x of y", nil},
		{extraction.WorksFor, .85, "y 's *@rank @staff *@title ?, ?is x", nil},
		{extraction.WorksFor, .8, "y *@rank @staff *@title ?, x", nil},
		{extraction.WorksFor, .85, "@staff of|at y ?, ?is x", nil},
		{extraction.WorksFor, .9, "y employs X", nil},
		{extraction.WorksFor, .75, "! x ?has *@aux joined y", nil},
		{extraction.WorksFor, .9, "name is|: x ?, ?and *@aux work|working|employed for|by|at|with Y", nil},
		{extraction.WorksFor, .9, "i'm|am|this ?is x ?, ?and *@aux work|working|employed for|by|at|with Y", nil},
		{extraction.WorksFor, .85, "x here|again ?, *@aux working|employed for|by|at|with Y", nil},
		{extraction.WorksFor, .85, "x here|again ?, *@rank @title *@title of|at|for|with y", nil},
		{extraction.WorksFor, .8, "x here|again ?, from|at|of y", nil},

		// located_in
		{extraction.LocatedIn, .95, "! X ?, ?which *@be *@aux @where in|at y", nil},
		{extraction.LocatedIn, .95, "! x ?, ?who *@aux lives|live|resides|reside|living in|at y", person},
		{extraction.LocatedIn, .9, "! X *@aux live|reside in y", person},
		{extraction.LocatedIn, .9, "! x is *@aux living|residing|based in y", person},
		{extraction.LocatedIn, .8, "! X is|are ?a *@aux in y", placed},
		{extraction.LocatedIn, .85, "! x *@aux has|have|opened *@rank office|offices|headquarters|branch in y", firm},
		{extraction.LocatedIn, .85, "x 's *@rank office|headquarters|branch ?is in y", firm},
		{extraction.LocatedIn, .7, "x in y", placed},
		{extraction.LocatedIn, .75, "! x ?has moved|relocated to y", []extraction.Type{extraction.Company, extraction.Person}},
		{extraction.LocatedIn, .9, "office|offices|headquarters of X is|are *@aux ?@where in|at y", firm},
		{extraction.LocatedIn, .9, "i'm|am|is x ?, ?and *@aux live|living|based in y", person},

		// governed_by
		{extraction.GovernedBy, .95, "X *@be *@aux governed|regulated|covered|ruled by|under Y", nil},
		{extraction.GovernedBy, .9, "X ?, ?which *@be *@aux subject to Y", nil},
		{extraction.GovernedBy, .85, "X *@aux falls|fall|comes|come under Y", nil},
		{extraction.GovernedBy, .85, "X must|has|have ?to comply with Y", nil},
		{extraction.GovernedBy, .8, "X *@be *@aux set|laid|defined|regulated|described ?out|down in|by Y", nil},
		{extraction.GovernedBy, .65, "X under|pursuant ?to y", nil},
		{extraction.GovernedBy, .95, "! Y *@aux governs|govern|regulates|regulate|covers|cover X", nil},

		// requires
		{extraction.Requires, .95, "X *@aux requires|require|needs|need Y", nil},
		{extraction.Requires, .95, "for X ?, @you *@adv @need *@provide Y", nil},
		{extraction.Requires, .9, "for X ?, @you *@adv have|must *to|have|provide|submit|bring|prepare|send|show *provide|submit|bring|prepare|send|show|pay Y", nil},
		{extraction.Requires, .9, "for X ?, please *@provide Y", nil},
		{extraction.Requires, .9, "for X ?, Y *@be *@aux required|needed|necessary|mandatory", nil},
		{extraction.Requires, .95, "to *@get X ?, @you *@adv @need *@provide Y", nil},
		{extraction.Requires, .85, "if you|they|he|she|clients *@adv need|want|wants|like *to|a *@get X ?, ?then @you *@adv @need *@provide Y", nil},
		{extraction.Requires, .9, "need|needs|require|requires *@provide Y ?in ?order for|to *@get x", nil},
		{extraction.Requires, .95, "Y *@be *@aux required|needed|necessary|mandatory|compulsory for|to *@get X", nil},
		{extraction.Requires, .85, "please *@provide Y for x", nil},
		{extraction.Requires, .9, "documents|requirements|document|requirement ?needed|required for X ?are|is|include ?: Y", nil},
		{extraction.Requires, .9, "X requirements|documents ?are|is|include ?: Y", nil},
		{extraction.Requires, .85, "! X ?will ?currently costs|cost ?about|around|only ?: y", nil},
		{extraction.Requires, .85, "fee|price|cost|fees for|of X is|: ?about|around|only y", nil},
		{extraction.Requires, .8, "X fee|price|fees is|: ?about|around|only y", nil},

		// conflicts_with
		{extraction.ConflictsWith, .95, "! X *@aux conflicts|conflict|clashes|clash with Y", nil},
		{extraction.ConflictsWith, .95, "! X *@be ?in conflict|conflicting with Y", nil},
		{extraction.ConflictsWith, .95, "! X *@aux contradicts|contradict Y", nil},
		{extraction.ConflictsWith, .95, "X *@be incompatible with Y", nil},
		{extraction.ConflictsWith, .9, "X *is|are isn't|aren't|not compatible|allowed|permitted|possible with|under|by Y", nil},
		{extraction.ConflictsWith, .9, "X cannot|can't ?be combined|used|held with|under|together ?with Y", nil},
		{extraction.ConflictsWith, .85, "! X violates|violate|breaches|breach Y", nil},
		{extraction.ConflictsWith, .9, "X *@be prohibited|forbidden|banned|illegal under|by Y", nil},
		{extraction.ConflictsWith, .9, "! Y prohibits|prohibit|forbids|forbid|bans|ban X", nil},

		// example_of
		{extraction.ExampleOf, .9, "y ?, such as X", nil},
		{extraction.ExampleOf, .85, "y ?, ?( e.g|eg ?, X", nil},
		{extraction.ExampleOf, .85, "y ?, ?( for example|instance ?, X", nil},
		{extraction.ExampleOf, .75, "y ?, ?( including|like X", nil},
		{extraction.ExampleOf, .95, "! X is|are ?also a|an|one|another kind|type|form|example|sort|kinds|types|examples of y", nil},
		{extraction.ExampleOf, .75, "! x is ?also a|an ?kind ?of y", nil},
		{extraction.ExampleOf, .85, "x is one of ?the y", nil},
		{extraction.ExampleOf, .9, "X and|or other y", nil},

		// client_of
		{extraction.ClientOf, .95, "! X *@be *@aux ?a ?an client|customer|clients|customers of|at Y", nil},
		{extraction.ClientOf, .9, "x , ?a ?an client|customer of|at y", nil},
		{extraction.ClientOf, .95, "! x *@be y 's client|customer", nil},
		{extraction.ClientOf, .9, "y 's client|customer|clients|customers ?, X", nil},
		{extraction.ClientOf, .85, "y client|customer X", nil},
		{extraction.ClientOf, .9, "client|customer of y ?, ?is x", nil},
		{extraction.ClientOf, .85, "! x has been|become a client|customer of y", nil},
		{extraction.ClientOf, .85, "! x became a client|customer of y", nil},

		// relates_to
		{extraction.RelatesTo, .85, "! X *@be *@aux related|linked|connected|tied to|with Y", nil},
		{extraction.RelatesTo, .85, "! X *@aux relates|relate to Y", nil},
		{extraction.RelatesTo, .8, "! X concerns|concern Y", nil},
	},
	own: []pattern{
		{extraction.WorksFor, .95, "i ~ *@aux work for|at Y", nil},
		{extraction.WorksFor, .75, "i ~ *@aux work with y", nil},
		{extraction.WorksFor, .95, "i'm|im ~ *@aux working|employed for|at|by y", nil},
		{extraction.WorksFor, .95, "i am ~ *@aux working|employed for|at|by y", nil},
		{extraction.WorksFor, .9, "i've|ive *@aux been *@aux working|employed for|at|by|with y", nil},
		{extraction.WorksFor, .9, "i have *@aux been *@aux working|employed for|at|by|with y", nil},
		{extraction.WorksFor, .85, "i've|ive|i ?have *@aux worked for|at y since|for", nil},
		{extraction.WorksFor, .85, "i've|ive ~ *@aux joined y", nil},
		{extraction.WorksFor, .85, "i ~ ?have *@aux joined y", nil},
		{extraction.WorksFor, .85, "i've|ive *@aux moved|switched|transferred|changed over|jobs to y", nil},
		{extraction.WorksFor, .85, "i've|ive *@aux moved|switched|transferred|changed to y", nil},
		{extraction.WorksFor, .85, "i ~ ?have *@aux moved|switched|transferred|changed ?over|jobs to y", nil},
		{extraction.WorksFor, .85, "i've|ive|i ?have *@aux started|begun|began ?to|a ?new ?work|working|job|position ?as ?@article ?@title at|with|for y", nil},
		{extraction.WorksFor, .85, "i've|ive|i ?have *@aux been|was hired by y", nil},
		{extraction.WorksFor, .9, "i'm|im *@aux *@rank @title ?& *@title of|at|for|with|in y", nil},
		{extraction.WorksFor, .9, "i am *@aux *@rank @title ?& *@title of|at|for|with|in y", nil},
		{extraction.WorksFor, .9, "i am|work *@aux as *@rank @title *@title of|at|for|with|in y", nil},
		{extraction.WorksFor, .9, "i'm|im|am *@aux *@rank @title of finance|sales|operations|hr|legal|marketing of|at|for y", nil},
		{extraction.WorksFor, .8, "i'm|im *@aux from|with y", nil},
		{extraction.WorksFor, .8, "i am *@aux from|with y", nil},
		{extraction.WorksFor, .85, "i'm|im|am *@aux on|in|part *of|the staff|team|payroll|board of|at y", nil},
		{extraction.WorksFor, .8, "i *@aux run|own|lead|head|direct y", nil},
		{extraction.WorksFor, .8, "i have|got|found|took *@aux *@rank job|position|role at|with y", nil},
		{extraction.WorksFor, .85, "my *@rank employer|company|firm|workplace ?now is ?now|called y", nil},
		{extraction.WorksFor, .85, "y is *@aux my *@rank employer|company|firm|workplace", nil},
		{extraction.WorksFor, .9, "company|firm|place ?that|which|where i *@aux work for|at|with is ?called y", nil},

		{extraction.LocatedIn, .9, "i ~ *@aux live|reside in|at y", nil},
		{extraction.LocatedIn, .9, "i'm|im ~ *@aux living|residing|based in|at y", nil},
		{extraction.LocatedIn, .9, "i am ~ *@aux living|residing|based in|at y", nil},
		{extraction.LocatedIn, .85, "i've|ive|i have *@aux been living|based in y", nil},
		{extraction.LocatedIn, .75, "i've|ive *@aux moved|relocated to y", nil},
		{extraction.LocatedIn, .75, "i ~ ?have *@aux moved|relocated to y", nil},

		{extraction.ClientOf, .95, "i'm|im *@aux ?@article *@sort client|customer of|at y", nil},
		{extraction.ClientOf, .95, "i am *@aux ?@article *@sort client|customer of|at y", nil},
		{extraction.ClientOf, .9, "i've|ive *@aux been|become ?@article *@sort client|customer of|at y", nil},
		{extraction.ClientOf, .9, "i have *@aux been|become ?@article *@sort client|customer of|at y", nil},
	},
	names: []string{
		"i'm|im *@aux *again|just ?@courtesy x",
		"i am *@aux *again|just ?@courtesy x",
		"my ?full|first|given|legal name is|: ?@courtesy x",
		"my name's ?@courtesy x",
		"call me x",
		"^ name : x",
		"^ i , x ,",
	},
	shown: []string{
		"^ this is *again ?@courtesy x",
		"^ it's|its *again|just|me ?, ?@courtesy x",
		"^ it is *again|just|me ?, ?@courtesy x",
		"^ x ?over here|again|speaking|writing ?again $",
		"^ x ?over here|again|speaking|writing ?again from|at|of|with|and|i|i'm|i've|working|employed",
	},
}
